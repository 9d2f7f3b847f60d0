// The claim of a candidate, over the API: register where a name is given, sign in, claim, and leave no session behind.
// What stands behind the # of a link is sent to no server before that, and so to nobody's log.
const token = location.hash.slice(1);
const form = document.getElementById("claim");
const told = document.getElementById("told");
const button = form.querySelector("button");
document.getElementById("incomplete").hidden = token !== "";

async function ask(method, path, body, bearer) {
  const headers = { "Content-Type": "application/json", ...(bearer && { Authorization: `Bearer ${bearer}` }) };
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const said = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok) {
    const faults = (said.errors ?? []).map((each) => `${each.pointer.slice(1)}: ${each.detail}`);
    throw new Error(faults.join(" ") || said.detail);
  }
  return said;
}

async function claim(email, password, name) {
  if (name) await ask("POST", "/v1/people", { email, password, name });
  form.elements.name.value = ""; // whatever comes of the rest, the account is there
  const session = await ask("POST", "/v1/sessions", { email, password });
  try {
    return await ask("POST", "/v1/candidates:claim", { token }, session.access_token);
  } finally {
    await ask("DELETE", `/v1/sessions/${session.id}`, undefined, session.access_token);
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  const { email, password, name } = form.elements;
  try {
    const joined = await claim(email.value, password.value, name.value.trim());
    told.textContent = `${form.dataset.done} ${joined.applications.length}`;
    form.hidden = true;
  } catch (error) {
    told.textContent = error instanceof TypeError ? form.dataset.failed : error.message;
    button.disabled = false;
  }
});
