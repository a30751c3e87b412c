"""The words in which people answer a question by mail, by language (R18, R31).

Owns the phrases and what each says, the words that may go with a plain answer and those that take
its plainness away. A new language is a row in `PHRASES` and in `_HEDGES`. All stand here as
`new_text.words_of` gives them. Must not know mail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

from mailguard.core.text.new_text import listed, words_of


class Says(Enum):
    """What a phrase says where it stands."""

    YES = "yes"  # plain, and more may follow: "Yes, she is a parent"
    SEND = "send"  # a yes only where nothing follows: "ok to send"
    NO = "no"
    UNSURE = "unsure"
    STRANGER = "stranger"  # unsure, but behind "no" it only gives the reason
    STOP = "stop"
    HEARD = "heard"  # "ok": perhaps only that the question was read
    UNPLAIN = "unplain"  # has an answer's words and is none: "no problem", "please approve"


PHRASES: Final[tuple[tuple[Says, str], ...]] = (
    # English
    (
        Says.YES,
        "yes|yep|yeah|yup|y|absolutely|certainly|definitely|of course|affirmative|approved|approve|"
        "approve it|approve this|i approve|i approve it|i approve this|i approve this message|"
        "i approve the message|i approve this announcement|i approve of this|i hereby approve|"
        "this is approved|it is approved|approved by me|you have my approval|permission granted|"
        "agreed|i agree|my answer is yes|the answer is yes|confirmed|i confirm|valid|valid sender|"
        "it is valid|this is valid|this is a valid sender|they are valid|he is valid|she is valid|"
        "a valid sender|correct|👍|✅|✔|☑",
    ),
    (
        Says.SEND,
        "ok to send|okay to send|ok to send it|ok to send this|okay to send it|okay to send this|"
        "fine to send|good to send|good to go|go ahead|go ahead and send it|go ahead and send|"
        "go for it|send it|send it out|send this|send this out|release it|release this|"
        "release the message|unblock it|unblock them|unblock this sender|unblock this address|"
        "you may send it|you can send it|you may send this|you can send this|it may be sent|"
        "it can be sent|this can be sent|this may be sent|let it through|fine with me|fine by me|"
        "ok with me|okay with me|sounds good|looks good|looks good to me|lgtm|works for me|sure|"
        "sure thing|that is fine|this is fine|it is fine|that is ok|this is ok|it is ok",
    ),
    (
        Says.NO,
        "no|nope|nah|n|no way|negative|denied|deny|deny it|deny this|i deny this|i deny it|"
        "rejected|reject|reject it|reject this|i reject this|i reject it|declined|decline|"
        "i decline|disapproved|disapprove|i disapprove|not approved|this is not approved|"
        "it is not approved|i do not approve|i do not approve this|i do not approve it|"
        "do not approve|do not approve this|do not approve it|i can not approve|"
        "i can not approve this|i will not approve|i will not approve this|do not send|"
        "do not send it|do not send this|do not release|do not release it|do not release this|"
        "do not unblock|do not unblock it|do not unblock them|do not let it through|"
        "do not allow it|do not allow this|not valid|it is not valid|this is not valid|"
        "this is not a valid sender|not a valid sender|invalid|absolutely not|certainly not|"
        "definitely not|of course not|not ok|not okay|not ok to send|not okay to send|not allowed|"
        "permission denied|my answer is no|the answer is no|this is spam|it is spam|spam|👎|❌",
    ),
    (
        Says.UNSURE,
        "i do not know|do not know|not sure|i am not sure|unsure|i am unsure|"
        "not certain|i am not certain|uncertain|no idea|i have no idea|no clue|idk|i can not tell|"
        "i can not say|who is this|who is that|who are they|who is it|who is he|who is she|"
        "who is this person|who is this from|what is this|what is this about|more information|"
        "more info|need more information|need more info|i need more information|maybe|perhaps|"
        "possibly|i am not familiar|not familiar|🤷|tell me more|can you tell me more",
    ),
    (
        Says.STRANGER,
        "i do not know him|i do not know her|i do not know them|i do not know this person|"
        "i do not know this sender|i do not know the sender|i do not know this address|"
        "i do not know who this is|i do not know who that is|i do not know who it is|"
        "not sure who this is|not sure who that is|i am not sure who this is|"
        "i do not recognize|i do not recognise|do not recognize|do not recognise|"
        "i do not recognize it|i do not recognise it|i do not recognize them|"
        "i do not recognize this|i do not recognize this person|i do not recognize this sender|"
        "i do not recognize this address|i do not recognize the sender|"
        "i do not recognise this person|i do not recognise this sender|"
        "i do not recognise this address",
    ),
    (
        Says.STOP,
        "stop|stop it|stop this|stop that|stop this announcement|stop the announcement|"
        "stop this message|stop sending|halt|halt it|cancel|cancel it|cancel this|"
        "cancel this announcement|pull it|recall it|recall|🛑|⛔",
    ),
    (
        Says.UNPLAIN,
        "no problem|no problems|no worries|no objection|no objections|no issue|"
        "no issues|no doubt|no need|no concerns|not a problem|yes and no|yes or no|no or yes|"
        "please approve|please confirm|please send it|why not|not yet|not yet approved|"
        "not unless|do not stop|without objection|no longer|no one|no more|no matter|no rush|"
        "no hurry|not spam|it is not spam|this is not spam|yes but|no but|say no|say yes",
    ),
    (Says.HEARD, "ok|okay|okey|fine|k|noted|vale|bueno"),
    # Spanish
    (Says.YES, "sí|si|claro|claro que sí|por supuesto|aprobado|aprobada|apruebo|lo apruebo|"),
    (Says.YES, "sí apruebo|de acuerdo|estoy de acuerdo|autorizado|lo autorizo|confirmado|correcto"),
    (Says.SEND, "adelante|envíelo|envíalo|puede enviarse|pueden enviarlo|puede enviarlo"),
    (Says.NO, "no apruebo|no lo apruebo|no aprobado|no aprobada|no autorizado|rechazado|denegado"),
    (
        Says.NO,
        "no lo envíe|no lo envíen|no enviar|no estoy de acuerdo|de ninguna manera|claro que no",
    ),
    (Says.UNSURE, "no sé|no lo sé|no estoy seguro|no estoy segura|quién es|quién es este|tal vez"),
    (Says.UNSURE, "no se|no lo se|quien es|quizás|quizá|quien es este|no tengo idea"),
    (Says.STRANGER, "no lo conozco|no la conozco|no conozco a esta persona|no lo reconozco"),
    (Says.STOP, "alto|pare|deténgalo|detenga|deténganlo|detener|cancelar|cancele|cancélelo"),
    (Says.UNPLAIN, "sí y no|si y no|no hay problema|sin problema|sí o no|si o no|ningún problema"),
    # Vietnamese
    (Says.YES, "có|vâng|dạ|dạ có|dạ vâng|đồng ý|tôi đồng ý|chấp thuận|phê duyệt|đúng|đúng vậy"),
    (Says.NO, "không|dạ không|không đồng ý|tôi không đồng ý|không phải|không chấp thuận|đừng gửi"),
    (Says.UNSURE, "không biết|tôi không biết|không chắc|tôi không chắc|không rõ|ai đây|đây là ai"),
    (Says.STOP, "dừng|dừng lại|ngừng|ngừng lại|hãy dừng lại"),
    (Says.UNPLAIN, "không có|có không|không sao|không vấn đề gì|được không"),
    # Chinese; a sentence is one word here
    (Says.YES, "是|是的|对|對|对的|對的|同意|我同意|批准|已批准|可以|可以的|行|好的|好|没错|沒錯"),
    (Says.SEND, "可以发送|可以發送|可以发|请发送|請發送|发吧"),
    (Says.NO, "不|不是|不对|不對|不同意|我不同意|不批准|不可以|不行|不要|不要发送|不要發送|否"),
    (Says.UNSURE, "不知道|我不知道|不清楚|不确定|不確定|我不确定|这是谁|這是誰|他是谁|她是谁"),
    (Says.STRANGER, "不认识|不認識|我不认识|我不認識|不认识这个人|我不认识这个人"),
    (Says.STOP, "停止|停|请停止|請停止|取消|停止发送|停止發送"),
    (Says.UNPLAIN, "没问题|沒問題|是不是|可不可以|行不行|好不好|对不起|對不起|不好意思"),
    # Arabic, with and without hamza
    (Says.YES, "نعم|اجل|أجل|موافق|موافقة|أوافق|اوافق|نعم أوافق|صحيح|تمت الموافقة"),
    (Says.NO, "لا|كلا|لا أوافق|لا اوافق|غير موافق|مرفوض|لست موافقا|لا ترسل|لا ترسلها|لا ترسله"),
    (Says.UNSURE, "لا أعرف|لا اعرف|لا أدري|لا ادري|لست متأكدا|لست متاكدا|غير متأكد|من هذا|من هذه"),
    (Says.STRANGER, "لا أعرفه|لا اعرفه|لا أعرفها|لا أعرف هذا الشخص"),
    (Says.STOP, "توقف|أوقف|اوقف|أوقفه|أوقفها|قف|إلغاء|الغاء"),
    (Says.UNPLAIN, "لا مشكلة|لا بأس|لا مانع"),
    # Tagalog
    (Says.YES, "oo|opo|oho|oo naman|aprubado|inaaprubahan ko|pumapayag ako|sang ayon ako|tama"),
    (Says.NO, "hindi|hindi po|hinde|ayaw ko|ayoko|huwag|huwag po|hindi aprubado|hindi ako payag"),
    (
        Says.UNSURE,
        "hindi ko alam|di ko alam|ewan|hindi ako sigurado|hindi sigurado|sino ito|sino po ito",
    ),
    (Says.STRANGER, "hindi ko siya kilala|hindi ko kilala|hindi ko po siya kilala"),
    (Says.STOP, "itigil|itigil ito|itigil mo|ihinto|tumigil|hinto|tigil"),
    (Says.UNPLAIN, "walang problema|hindi problema|oo at hindi"),
    # French, Haitian Creole, Portuguese, Russian, Korean
    (Says.YES, "oui|approuvé|approuve|japprouve|daccord|wi|dakò|apwouve|sim|aprovo|concordo"),
    (Says.YES, "да|согласен|согласна|одобряю|одобрено|네|예|승인|승인합니다|동의합니다|맞습니다"),
    (Says.NO, "non|refusé|je refuse|je napprouve pas|pas daccord|não|nao|não aprovo|recusado"),
    (Says.NO, "нет|не согласен|не согласна|не одобряю|아니요|아니오|거부|승인하지 않습니다"),
    (Says.UNSURE, "je ne sais pas|pas sûr|pas sûre|mwen pa konnen|não sei|não tenho certeza"),
    (Says.UNSURE, "не знаю|не уверен|не уверена|кто это|모르겠습니다|모르겠어요|잘 모르겠습니다"),
    (Says.STOP, "arrêtez|arrêtez cela|annulez|cancelem|parem|остановите|стоп|중지|중단"),
    (Says.UNPLAIN, "oui et non|pas de problème|sim e não|sem problema|да и нет|да нет|нет проблем"),
)


def _words(*rows: str) -> frozenset[str]:
    return frozenset(word for row in rows for word in row.split())


_NEGATED = "do does did is are was should would could has have must need ca wo"
_CONTRACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    **{f"{verb}nt": (verb, "not") for verb in _NEGATED.split()},
    "cant": ("can", "not"),
    "cannot": ("can", "not"),
    "wont": ("will", "not"),
    "im": ("i", "am"),
    "hes": ("he", "is"),
    "shes": ("she", "is"),
    "its": ("it", "is"),
    "thats": ("that", "is"),
    "whos": ("who", "is"),
    "whats": ("what", "is"),
    "theyre": ("they", "are"),
}


def expanded(words: Iterable[str]) -> tuple[str, ...]:
    """The words with "dont" as "do not"."""
    return tuple(part for word in words for part in _CONTRACTIONS.get(word, (word,)))


def _table() -> Mapping[tuple[str, ...], Says]:
    made: dict[tuple[str, ...], Says] = {}
    for says, row in PHRASES:
        for phrase in row.split("|"):
            if phrase:
                made.setdefault(expanded(words_of(phrase)) or (phrase,), says)
    return made


TABLE: Final = _table()
LONGEST: Final = max(map(len, TABLE))
EMOJI: Final = frozenset(words[0] for words in TABLE if not words[0].isalnum())


POLITE: Final = _words(
    "please thanks thank you very much so many kindly sir madam maam pls plz thx all",
    "gracias muchas por favor señor señora po salamat maraming xin cảm ơn",
    "谢谢 謝謝 请 請 شكرا من فضلك merci beaucoup obrigado obrigada спасибо пожалуйста 감사합니다",
)
GREETINGS: Final = _words(
    "hi hello hey dear good greetings morning afternoon evening hola estimado estimada buenos",
    "buenas chào kính 你好 您好 مرحبا السلام kumusta magandang bonjour olá здравствуйте 안녕하세요",
)

# What takes the plainness of a yes away wherever it stands in the author's words: a condition, an
# exception, a time, a doubt, a request for changes.
_HEDGES = _words(
    "but however unless if only except excepting excluding without until till before after not no",
    "never none nor neither nothing wait waiting hold pause stop cancel halt instead rather first",
    "second third when while later tomorrow tonight monday tuesday wednesday thursday friday",
    "saturday sunday january february april june july august september october november december",
    "week weeks month months once then change changes changed edit edits fix correction revise",
    "revised update updated condition conditions conditional conditionally provided providing",
    "assuming pending subject maybe perhaps probably possibly might think guess suppose believe",
    "seems hopefully unsure actually sorry mistake oops disregard ignore retract withdraw undo",
    "reconsider check checking ask asking talk discuss look looking review reviewing verify need",
    "needs must should limit limited just although though other apart aside otherwise yet soon",
    "partially partly some part half remove removed delete reject rejected deny denied decline",
    "disapprove unapproved spam phishing fake fraud suspicious whether depends depending",
    "send resend draft version final let pm oclock noon",
    "pero si solo sólo únicamente solamente excepto salvo hasta antes después despues cuando",
    "mañana nunca espere esperar quizás quizá talvez creo siempre cambie cambiar primero aunque",
    "nhưng nếu chỉ trước sau đừng chờ đợi không lẽ",
    "لكن ولكن لا ليس ليست إذا اذا إلا الا فقط قبل بعد حتى ربما غير لم لن بشرط",
    "ngunit subalit hindi kung lang lamang bago pagkatapos huwag siguro baka",
    "mais seulement sauf avant après si demain mas somente exceto antes amanhã não non pas men",
    "sèlman",
    "но не если только кроме до после завтра нет",
)
_HEDGES_WITHIN = listed("但|不|别|別|如果|除非|只|等|先|之前|以后|以後|没|沒|可能|明天|再")
_TIME = re.compile(r"\d{1,2}(?:am|pm|st|nd|rd|th|h)?|20\d\d")
_CONNECTIVES = _words(
    "for to on at in with by and or from as until through via per to's under during between",
    "para en con y o de hasta si",
)
_AFTERTHOUGHTS = _words(
    "ps pss p but however only except unless no not dont do wait hold stop cancel also please",
    "correction edit update pero solo excepto espere nhưng 但 但是 لكن ngunit mais mas но",
)
# What turns a no around.
_TURNS = _words(
    "but however unless if until actually instead sorry mistake oops yes yep yeah approve approved",
    "fine ok okay sure good problem problems worries objection objections ahead release",
    "valid legit legitimate safe pero excepto",
    "yet before nhưng nếu لكن إلا نعم ngunit kung mais mas но если",
)
_HAN_TURNS = listed("但|如果|除非|可以")

_WHO = (
    r"(?:it|this|that|he|she|they|i|"
    r"(?:this|the|that) (?:sender|address|person|mail|email|message|one))"
)
_WHAT = (
    r"(?:valid|legitimate|legit|genuine|real|fine|ok|okay|good|safe|right|correct|known|expected|"
    r"approved|wanted|trusted|welcome|sender|senders|address|contact|person|parent|parents|mother|"
    r"father|mom|mum|dad|guardian|grandparent|grandmother|grandfather|aunt|uncle|family|colleague|"
    r"friend|vendor|supplier|volunteer|coach|teacher|student|students|partner|doctor|nurse|"
    r"counselor|member|relative|customer|one|mine|ours|class|school|district|me|us|them|him|her)"
)
_SMALL = r"(?:a|an|the|my|our|one|of|to|very|in|from|indeed|also|and|totally|perfectly)"
_GOES_WITH_YES: Final = re.compile(
    r"(?:(?:" + _WHO + r" (?:is|are|am|do|does)|"
    r"i know (?:him|her|them|it|who this is|who it is|(?:this|the|that) "
    r"(?:sender|address|person|parent|one))|"
    r"(?:i|we) (?:am|are|was|were) expecting (?:it|this|them)|"
    r"(?:i|we) (?:expect|expected) (?:it|this|them)|(?:i|we) work with (?:him|her|them)|"
    r"(?:add|unblock|release|allow|approve|send) (?:it|them|him|her|this|"
    r"(?:this|the|that) (?:sender|address|person|message|email))|"
    r"(?:you|it) (?:may|can) (?:be sent|send it|send this)|it|this|this one|"
    r"(?:this|the) (?:message|email|announcement|sender|address))"
    r"(?: (?:" + _SMALL + r"|" + _WHAT + r")(?= |\Z))*+(?: |\Z))++"
)
_GOES_WITH_STOP: Final = _words(
    "it this that the these those all announcement announcements message messages mail mails",
    "email emails sending now immediately at once right away further copies distribution delivery",
    "mailing any more from going out being sent i want to ask you say ahora",
    "ya esto este anuncio mensaje",
)


# Letters beyond Latin, Greek, Cyrillic, Arabic and Chinese.
_STRANGE: Final = re.compile("[\u0530-\u05ff\u0700-\u1dff\u3040-\u30ff\uac00-\ud7af]")
_LONGEST_NAME = 6  # letters


def hedges(words: Iterable[str]) -> bool:
    """Whether a word here makes a yes conditional or doubtful, or they are but a time."""
    said = list(words)
    if said and all(_TIME.fullmatch(word) for word in said):
        return True
    return any(
        word in _HEDGES or (not word.isascii() and any(h in word for h in _HEDGES_WITHIN))
        for word in said
    )


def turns(words: Iterable[str]) -> bool:
    """Whether a word here may turn a no around."""
    return any(
        word in _TURNS or (not word.isascii() and any(h in word for h in _HAN_TURNS))
        for word in words
    )


def goes_on(word: str) -> bool:
    """Whether a sentence that begins so goes on with the one before: "Approved / for Cedar"."""
    return word in _CONNECTIVES


def is_afterthought(word: str) -> bool:
    """Whether a line below a signature that begins so adds to what was said above it."""
    return word in _AFTERTHOUGHTS


def goes_with_yes(words: Iterable[str]) -> bool:
    """Whether these words only say again, or why: "it is a parent of one of my students"."""
    return _GOES_WITH_YES.fullmatch(" ".join(words)) is not None


def goes_with_stop(words: Iterable[str]) -> bool:
    """Whether these words only say what is to be stopped."""
    return all(word in _GOES_WITH_STOP for word in words)


def is_understood(words: Iterable[str]) -> bool:
    """Whether hedges are known for the writing of a sentence: a condition that cannot be read may
    stand in another. A name in it is short."""
    return sum(len(_STRANGE.findall(word)) for word in words if not word.isascii()) <= _LONGEST_NAME
