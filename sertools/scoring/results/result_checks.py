"""What a result must be: every field of its type and range, the metrics those of its utterances."""

import json
import re
from collections.abc import Mapping
from typing import Any, get_args

from sertools.config import ADJUSTMENTS
from sertools.errors import UsageError
from sertools.metrics import scores
from sertools.scoring.results.documents import Defect
from sertools.scoring.results.result import IF_KNOWN, KIND, VERSION, Result, Utterance
from sertools.scoring.results.tags import canonical_tags
from sertools.voting import VoteRule


def parse(document: Any, source: str) -> Result:
    """Check a document from the outside in.

    Parameters
    ----------
    document : Any
        Decoded JSON whose strings are printable and whose numbers are finite.
    source : str
        The file it came from.

    Returns
    -------
    Result
        That can be trusted.

    Raises
    ------
    Defect
        If a field is missing or of another type or range, or contradicts the others.
    """
    if not isinstance(document, dict) or "sertools_kind" not in document:
        raise Defect("is not a result file")
    if document["sertools_kind"] != KIND:
        raise Defect(f'is of the kind {_shown(document["sertools_kind"])}, not "{KIND}"')
    if document.get("sertools_version") != VERSION:
        version = _shown(document.get("sertools_version"))
        raise Defect(f"has version {version}, this sertools reads {VERSION}; upgrade it, or")
    classes = _texts(document, "classes")
    if not classes or len(set(classes)) < len(classes):
        raise Defect("classes must be different names, at least one")
    try:
        tags = canonical_tags({key: _get(document["tags"], key, str) for key in _get(document, "tags", dict)})
    except UsageError as error:
        raise Defect(str(error)) from None
    if tags.get("reduced") and tags["reduced"] not in classes:
        raise Defect(f"tag reduced={tags['reduced']} is none of its classes {', '.join(classes)}")
    if _get(document, "vote", str) not in get_args(VoteRule):
        raise Defect(f"vote {_shown(document['vote'])} is unknown")
    adjust = _get(document, "adjust", str) if "adjust" in document else ADJUSTMENTS[0]
    if adjust not in ADJUSTMENTS:
        raise Defect(f"adjust {_shown(adjust)} is unknown")
    result = Result(
        tags=tags,
        classes=classes,
        vote=document["vote"],
        adjust=adjust,
        allow_seen=_get(document, "allow_seen", bool),
        metrics=_get(document, "metrics", dict),
        model=_get(document, "model", dict),
        utterances=_utterances(document, "utterances", classes),
        validation=_utterances(document, "validation", classes) if "validation" in document else (),
        history=_texts(document, "history"),
        source=source,
    )
    tested = {u.key: u.name for u in result.utterances}
    shared = [tested[u.key] for u in result.validation if u.key in tested]
    if shared:
        raise Defect(f"utterance {_shown(min(shared))} is both tested and validated on")
    _check_model(result)
    _check_metrics(result)
    return result


def _utterances(document: Mapping[str, Any], name: str, classes: tuple[str, ...]) -> tuple[Utterance, ...]:
    found = tuple(_utterance(u, classes) for u in _get(document, name, list))
    if len({u.key for u in found}) < max(len(found), 1):
        raise Defect(f"{name} must be there and have different ids within a corpus")
    return found


def _utterance(item: Any, classes: tuple[str, ...]) -> Utterance:
    if not isinstance(item, dict):
        raise Defect(f"an utterance is {_shown(item)}, not an object")
    try:
        emotion, predicted = _get(item, "emotion", str), _get(item, "predicted", str)
        for name in (emotion, predicted):
            if name not in classes:
                raise Defect(f"{_shown(name)} is none of the classes {', '.join(classes)}")
        posterior = _get(item, "posterior", list)
        sound = len(posterior) == len(classes) and all(_is_number(p) and 0 <= p <= 1 for p in posterior)
        if not sound or abs(sum(posterior) - 1) > 1e-3:
            raise Defect(f"posterior must be {len(classes)} numbers from 0 to 1 that add up to 1")
        return Utterance(
            id=_get(item, "id", str),
            emotion=emotion,
            speaker=_get(item, "speaker", str),
            predicted=predicted,
            posterior=tuple(map(float, posterior)),
            n_segments=_count(item.get("n_segments"), "n_segments", least=1),
            tied=_get(item, "tied", bool),
            **{name: _get(item, name, str) for name in IF_KNOWN if name in item},
        )
    except Defect as defect:
        raise Defect(f"utterance {_shown(item.get('id'))}: {defect}") from None


def _check_model(result: Result) -> None:
    model = result.model
    _check_facts(model, result.classes)
    members = model.get("members", [model])
    if not isinstance(members, list) or not members or not all(isinstance(member, dict) for member in members):
        raise Defect("model.members must be objects, one for each classifier that was averaged")
    for member in members:
        _check_facts(member, result.classes)
        if result.adjust != ADJUSTMENTS[0] and "prior" not in member:
            raise Defect("model.prior is missing, by which its posteriors were divided")


def _check_facts(model: Mapping[str, Any], classes: tuple[str, ...]) -> None:
    if not re.fullmatch(r"[0-9a-f]+", _get(model, "digest", str)):
        raise Defect(f"model.digest {_shown(model['digest'])} is not hexadecimal")
    _get(model, "arch", str)
    _count(model.get("updates"), "model.updates")
    for origin, n in _get(model, "n_train_rows", dict).items():
        _count(n, f"model.n_train_rows.{origin}")
    if "prior" in model:
        prior = _get(model, "prior", dict)
        sound = prior.keys() == set(classes) and all(_is_number(p) and 0 < p <= 1 for p in prior.values())
        if not sound or abs(sum(prior.values()) - 1) > 1e-3:
            raise Defect("model.prior must have a share above 0 for each class, which add up to 1")


def _check_metrics(result: Result) -> None:
    expected = scores(*result.labels(), [u.posterior for u in result.utterances], result.classes)
    expected["n_ties"] = sum(u.tied for u in result.utterances)
    for name, value in expected.items():
        if not _agree(result.metrics.get(name), value):
            raise Defect(f"metrics.{name} does not follow from the utterances")


def _agree(stored: Any, value: Any) -> bool:
    if isinstance(value, dict):
        same_classes = isinstance(stored, dict) and stored.keys() == value.keys()
        return same_classes and all(_agree(stored[c], value[c]) for c in value)
    if isinstance(value, float):
        return _is_number(stored) and 0 <= stored <= 1 and abs(stored - value) <= 1e-6
    return type(stored) is type(value) and bool(stored == value)


def _get(mapping: Mapping[str, Any], name: str, kind: type) -> Any:
    value = mapping.get(name)
    if not isinstance(value, kind):
        raise Defect(f"{name} is {_shown(value)}" if name in mapping else f"{name} is missing")
    return value


def _texts(mapping: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(_get({name: item}, name, str) for item in _get(mapping, name, list))


def _count(value: Any, name: str, least: int = 0) -> int:
    if not _is_number(value) or not isinstance(value, int) or value < least:
        raise Defect(f"{name} is {_shown(value)}, not a count from {least} up")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    """Quote a value in a message, at a length that stays one line."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
