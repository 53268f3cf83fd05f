"""How many parts a text has, by three programs of others. Reads a JSON list of texts, writes a list of counts each."""

import json
import sys
import warnings

warnings.simplefilter("ignore")

import gammu  # noqa: E402 - smsutil warns while it is imported
import smpplib.consts  # noqa: E402
import smpplib.gsm  # noqa: E402
import smsutil  # noqa: E402


def by_gammu(text: str) -> int:
    """Count as libgammu cuts a long Unicode message."""
    entry = {"ID": "ConcatenatedTextLong", "Buffer": text}
    return len(gammu.EncodeSMS({"Class": -1, "Unicode": True, "Entries": [entry]}))


def by_smpplib(text: str) -> int:
    """Count as smpplib cuts it in UCS-2."""
    return len(smpplib.gsm.make_parts(text, encoding=smpplib.consts.SMPP_ENCODING_ISO10646)[0])


def by_smsutil(text: str) -> int:
    """Count as smsutil cuts it, in the GSM alphabet where that is enough."""
    return len(smsutil.split(text).parts)


if __name__ == "__main__":
    texts = json.load(sys.stdin)
    json.dump([[by_smsutil(text), by_smpplib(text), by_gammu(text)] for text in texts], sys.stdout)
