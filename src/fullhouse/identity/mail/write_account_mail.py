"""Writing the mails about an account, in the language of its owner. Pure."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage

from fullhouse.identity.rules import User
from fullhouse.infra.languages import Translator, translator


def write_account_mail(user: User, kind: str, link: str, message_id: str, sent_at: datetime) -> EmailMessage:
    """Write a mail. ``link`` is where the reader goes on."""
    speak = translator(user.language)
    subject, body = _words(kind, speak)
    greeting = speak.gettext("Hello %(name)s,", name=user.name) if user.name else speak.gettext("Hello,")
    message = EmailMessage()
    message["Message-ID"] = message_id
    message["Date"] = sent_at
    message["To"] = Address(display_name=user.name, addr_spec=user.email)
    message["Subject"] = subject
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{greeting}\n\n{body}\n\n{link}\n\nFullhouse\n")
    message["Content-Language"] = speak.html_language
    return message


def _words(kind: str, speak: Translator) -> tuple[str, str]:
    gettext = speak.gettext
    ignore = gettext("If this was not you, do nothing: without the link nothing happens.")
    not_you = gettext("If this was not you, have a link for a new password mailed to you at once.")
    texts = {
        "registered": (
            gettext("Confirm your mail address"),
            gettext(
                "Somebody, probably you, registered with this address. Open this link within three days to confirm it."
            )
            + " "
            + ignore,
        ),
        "registered_again": (
            gettext("You already have an account"),
            gettext(
                "Somebody, probably you, tried to register with this address, which has an account already. Sign in as "
                "usual, or ask for a new password if you forgot yours. If this was not you, nothing has changed."
            ),
        ),
        "forgotten": (
            gettext("Set a new password"),
            gettext("Open this link within an hour to set a new password. It works once.") + " " + ignore,
        ),
        "password_changed": (
            gettext("Your password was changed"),
            gettext("The password of your account was changed, and you were signed out everywhere else.")
            + " "
            + not_you,
        ),
        "second_factor_on": (
            gettext("Your second factor is on"),
            gettext("From now on signing in also takes a code from your app. Keep your recovery codes safe.")
            + " "
            + not_you,
        ),
        "second_factor_off": (
            gettext("Your second factor is off"),
            gettext("From now on signing in takes your password alone.") + " " + not_you,
        ),
        "recovery_code_used": (
            gettext("A recovery code was used"),
            gettext("Somebody signed in to your account with one of your recovery codes. It works no more.")
            + " "
            + not_you,
        ),
        "provider_linked": (
            gettext("A new way to sign in"),
            gettext("Your account can now also be opened by signing in with another service that knows this address.")
            + " "
            + not_you,
        ),
    }
    return texts["registered" if kind == "verify" else kind]
