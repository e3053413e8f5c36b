"""The mailer: hands mails to an SMTP server or to SES, or puts them into a local mailbox folder, chosen by URL.

``smtp://user:password@host:port?starttls=required|auto|never`` and ``smtps://…`` are servers; ``ca=/path.pem`` names
the certificate of an own authority. STARTTLS is required unless the host is on loopback. ``ses://region`` is SES of
AWS, with the role of the process. ``file:///…`` or a plain path is a mailbox folder with one ``.eml`` file a mail.
"""

from email.utils import parseaddr
from urllib.parse import urlsplit

from fullhouse.infra.errors import OperatorError
from fullhouse.infra.mail_folder import MailboxFolder
from fullhouse.infra.mail_port import Mailer, MailRefused, MailUnavailable
from fullhouse.infra.places import folder_of

__all__ = ["MailRefused", "MailUnavailable", "Mailer", "open_mailer"]


def open_mailer(url: str, sender: str) -> Mailer:
    """Return the mailer that a URL or a path names. ``sender`` stands in ``From`` where a mail has none.

    Raises ``OperatorError`` with a sentence if the URL or the sender is not one.
    """
    if "@" not in parseaddr(sender)[1]:
        raise OperatorError(
            f"mailer: not a sender: {sender!r}; write tickets@example.org or Name <tickets@example.org>"
        )
    if urlsplit(url).scheme in {"smtp", "smtps"}:
        from fullhouse.infra.mail_smtp import SmtpMailer, read_smtp_url  # noqa: PLC0415 (slow to load)

        return SmtpMailer(read_smtp_url(url), sender)
    if urlsplit(url).scheme == "ses":
        from fullhouse.infra.mail_ses import open_ses  # noqa: PLC0415 (an extra)

        return open_ses(url, sender)
    return MailboxFolder(folder_of(url, "mailer"), sender)
