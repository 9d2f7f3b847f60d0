// What stands behind the # of a link is sent to no server, and so to nobody's log: the form takes it from there.
const token = document.getElementById("token");
token.value = location.hash.slice(1) || token.value;
document.getElementById("incomplete").hidden = token.value !== "";
