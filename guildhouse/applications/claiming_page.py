"""The page behind a candidate's link: who has it registers or signs in there, and takes over what a team did for them.

It does all that over the API, as any other program would: the page itself knows nobody.
"""

from guildhouse.kernel.web_page import WebPage

# What the page says, in English; other languages have a section of this name in their catalogue.
page = WebPage(
    "guildhouse.applications",
    "candidate",
    {
        "title": "Your applications",
        "intro": "A hiring team knows you as a candidate. Sign in, or make an account, and your applications are yours.",
        "incomplete": "Open the whole link, with all that stands behind its #, in a browser that runs scripts.",
        "email": "E-mail address",
        "password": "Password; at least 15 characters for a new account",
        "name": "Name, if you have no account here yet",
        "claim": "These applications are mine",
        "taken": "Done. Applications that are yours now:",
        "failed": "The server cannot be reached. Try again in a moment.",
    },
)
router = page.router()
