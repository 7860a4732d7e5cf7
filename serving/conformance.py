r"""Does an endpoint answer as TensorFlow Serving does? Asks it, case by case.

    python -m serving.conformance --endpoint=127.0.0.1:8500 --rest=127.0.0.1:8501 \
        --model_name=csi_decoder --codec=export/crnet/codec.json

Works against `serving.server` and TensorFlow Serving alike; needs nothing but a served
decoder of `zoo.export`, whose shapes it learns from the metadata. Prints each case with
the expected and the received answer; exit status 1 if one differs. A case is `stricter`
where the endpoint refuses what TensorFlow Serving lets through, as the reference server
does, and `skip` where the endpoint has the feature switched off.
"""

from __future__ import annotations

import collections
from dataclasses import asdict, dataclass
from pathlib import Path

from absl import flags

from serving.codec.framing import Framer
from serving.codec.ue_encoder import CODEC_FILE, read_codec
from serving.conforming.rest import rest_rows
from serving.conforming.rows import BAD, Row, predict_rows
from serving.conforming.services import service_rows
from serving.conforming.target import Answer, Target
from serving.ue_side import client_tls
from tfds_builders.cli import refuse_arguments, run
from zoo import files

MAX_TEXT = 300


@dataclass(frozen=True)
class Result:
    """One row of the report; `verdict` is pass, stricter, skip or FAIL."""

    case: str
    expected: str
    got: str
    verdict: str


def _define_flags() -> None:
    flags.DEFINE_string("endpoint", "127.0.0.1:8500", "host:port of gRPC.")
    flags.DEFINE_string("rest", "", "host:port of REST; empty: skip the REST cases.")
    flags.DEFINE_string("model_name", "csi_decoder", "Model to ask for.")
    flags.DEFINE_string("codec", "", "codec.json of the served export: valid frames.")
    flags.DEFINE_integer(
        "max_batch_size", 0, "That of the endpoint; 0: batching off.", lower_bound=0
    )
    flags.DEFINE_float("timeout", 60, "Seconds to wait for one answer.")
    flags.DEFINE_string("json", "", "Write the report here too.")
    client_tls.define_flags()


def _matches(answer: Answer, code: str, text: str) -> bool:
    return answer.code in code.split("|") and text in answer.text


def judge(row: Row) -> Result:
    """Send one row's request and compare the answer."""
    expected = f"{row.code} {row.text}".strip()
    if row.skip:
        return Result(row.case, expected, row.skip, "skip")
    too_large = f"Task size {row.rows} is larger than maximum input batch size"
    answer = row.call()
    verdict = "FAIL"
    if row.stricter and _matches(answer, *row.stricter):
        verdict = "stricter"
    elif _matches(answer, row.code, row.text) or _matches(answer, BAD, too_large):
        verdict = "pass"
    elif row.off and _matches(answer, *row.off):
        verdict = "skip"
    got = f"{answer.code} {answer.text}".strip()
    return Result(row.case, expected, got[:MAX_TEXT], verdict)


def conformance(
    target: Target,
    rest: bool = True,
    framed: Framer | None = None,
    max_batch_size: int = 0,
) -> list[Result]:
    """Run the whole table.

    Args:
        target: the endpoint.
        rest: whether its REST port is known.
        framed: makes valid frames; None skips the rows that need them.
        max_batch_size: that of the endpoint's batching; 0: off.

    Returns:
        One result for each row.
    """
    rows = [
        *predict_rows(target, framed),
        *service_rows(target, max_batch_size),
        *rest_rows(target, rest, max_batch_size),
    ]
    return [judge(row) for row in rows]


def _print(results: list[Result]) -> None:
    for result in results:
        print(f"{result.verdict:8} {result.case:42} {result.got[:60]}")
        if result.verdict == "FAIL":
            print(f"{'':8} {'':42} expected: {result.expected}")
    counts = collections.Counter(result.verdict for result in results)
    print(", ".join(f"{number} {verdict}" for verdict, number in counts.items()))


def main(argv: list[str]) -> None:
    """Command line."""
    values = flags.FLAGS
    refuse_arguments(argv)
    framed = None
    if values.codec:
        codec = Path(values.codec)
        if codec.name != CODEC_FILE:
            raise ValueError(f"--codec={codec}: expected the {CODEC_FILE} of an export")
        framed = Framer(read_codec(codec.parent))
    where = (values.endpoint, values.rest, values.model_name, values.timeout)
    target = Target(*where, client_tls.credentials(values))
    results = conformance(target, bool(values.rest), framed, values.max_batch_size)
    target.close()
    _print(results)
    if values.json:
        place = {key: values[key].value for key in ("endpoint", "rest", "model_name")}
        rows = [asdict(result) for result in results]
        files.write_json(values.json, {**place, "rows": rows})
    failed = [result.case for result in results if result.verdict == "FAIL"]
    if failed:
        raise ValueError(
            f"{len(failed)} of {len(results)} cases differ from TensorFlow Serving: "
            f"{', '.join(failed[:5])}"
        )


if __name__ == "__main__":
    _define_flags()
    run(main)
