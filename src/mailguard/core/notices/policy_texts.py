"""The texts that the districts' policies prescribe, byte for byte, with their slots.

Owns V1 to V6 of the rule register. Double spaces, dashes and quotation marks are the policies' own:
do not tidy them. Must not know when a text is used; `str.format` with every slot named fills it.
"""

from __future__ import annotations

# V1 (R27): the answer to mail blocked as possible spam.
V1_BLOCK_NOTICE = (
    "Your email message has been blocked as a possible Spam email by the {short_name} Mail "
    "Filtering System.  If you feel your message is not spam mail and should have gone "
    "through unblocked, please forward the blocked message to {spammail}, and we will "
    "research your request in a timely manner.  Thank you for your cooperation."
)

# V2 (R30): asks the recipient whether a sender is valid; the address and message follow.
V2_VERIFICATION = (
    "Hello,\n"
    "\n"
    "I wanted to verify that the email address below is a valid sender to you.\n"
    "\n"
    "Thanks,\n"
    "\n"
    "{administrator}\n"
    "\n"
    "Email Administrator\n"
    "\n"
    "{short_name} – Technology Services\n"
    "\n"
    "{mailbox}"
)

# V3 (R11): the confidentiality notice of sensitive outbound mail.
V3_DISCLAIMER = (
    "CONFIDENTIALITY NOTICE: If you have received this e-mail in error, please immediately "
    "notify the sender by e-mail address shown. This e-mail transmission may contain "
    "confidential information in its message or in an attachment. The information is "
    "intended only for the use of the individual(s) or entity to whom it is addressed. Any "
    "inappropriate disclosure, distribution, copying or use of the information by others "
    "is strictly prohibited. Please delete it from your files if you are not the intended "
    "recipient. Thank you for your compliance."
)

# V4 (R11): a school's confidentiality statement. {school} is what its policy writes as
# "Stafford (name of school) School": the site's full name, with one "School" at its end.
V4_STATEMENT = (
    "This message has been sent to you from the {title} of {school} and contains "
    "information which is confidential and/or privileged. If you are not the intended "
    "recipient, please advise the sender immediately by reply e-mail and delete this "
    "message and any attachments without retaining a copy. Thank you."
)

# V5 (R53): confirms a verbal request before any content is opened.
V5_CONFIRMATION = (
    "Technology Services is proceeding to facilitate the request received via person/phone"
)

# V6 (R3): what an assistant writes who sends for an administrator.
V6_DELEGATE = "sent by {assistant} on behalf of {administrator}"
