"""Networks and the linear KLT at equal ratio and equal data, best first."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

from zoo import registry
from zoo.metrics import plots
from zoo.reporting import pareto
from zoo.reporting.blocks import KLT, NMSE_UNIT, Picture, Section, Table
from zoo.reporting.cells import fixed, number, spread
from zoo.reporting.results_files import complete
from zoo.reporting.tables import data_set

NOTE = (
    "Our own trainings on our own simulated channels, short ones on CPUs, so this "
    "compares short trainings, not what the networks can reach. Networks of one table "
    "have the same codeword length, the same test CSI and the same training set; the "
    "codeword is float. Of a network it shows the best of our trainings, picked by the "
    "value shown, a mean over its seeds; minutes are those of one seed on the device "
    "beside them. The baseline is the linear KLT (PCA of the same training set, as "
    "many real numbers): no network below it is worth its operations there."
)
WORSE_DB = 0.0  # from here on it is better to send nothing
NEEDED = ("nmse_pca_db", "train_seconds", "num_train")
COLUMNS = (
    "network", f"ours, {NMSE_UNIT}", "ours, spread", "better than KLT [dB]", "seeds",
    "start", "epochs", "ours, minutes", "device", "file",
)  # fmt: skip


class Board(NamedTuple):
    """What is equal in a comparison.

    Attributes:
        data: data set and configuration; ':stream' behind it: new CSI in each epoch.
        codeword_dim: M.
        num_train: CSI of the training set.
        klt_db: NMSE of the linear KLT [dB], two decimals.
    """

    data: str
    codeword_dim: int
    num_train: int
    klt_db: float

    @property
    def title(self) -> str:
        """Ratio and data in words."""
        name, stream, _ = self.data.partition(":stream")
        kind = "new ones in each epoch" if stream else "the same in each epoch"
        ratio = pareto.CSI_VALUES // self.codeword_dim
        return f"1/{ratio}, {name}, {self.num_train:,} training CSI, {kind}"


class Trained(NamedTuple):
    """A network's trainings that differ in nothing but the seed.

    Attributes:
        model: registry name.
        rows: results rows, one per seed.
        source: results file.
    """

    model: str
    rows: list[dict]
    source: str

    def mean(self, key: str) -> float:
        """Mean of a number over the seeds."""
        return sum(row[key] for row in self.rows) / len(self.rows)


def boards(contents: dict[Path, dict]) -> dict[Board, list[Trained]]:
    """Comparisons with at least three networks, the largest first."""
    found: dict[Board | None, dict[str, Trained]] = {}
    for path, content in contents.items():
        if "SNR" in content.get("x", ""):  # noise is other data
            continue
        with complete(path):
            for _, rows in pareto.trained(content):
                new = Trained(rows[0]["model"], rows, path.name)
                best = found.setdefault(board_of(rows[0]), {})
                old = best.setdefault(new.model, new)
                best[new.model] = min(old, new, key=lambda own: own.mean("nmse_db"))
    found.pop(None, None)
    large = {b: list(own.values()) for b, own in found.items()
             if len(own) >= pareto.MIN_NETWORKS}  # fmt: skip
    return dict(sorted(large.items(), key=lambda item: -len(item[1])))


def board_of(row: dict) -> Board | None:
    """Where a row belongs; None: quantised, with side information, or no baseline."""
    spec = registry.MODELS.get(row["model"])
    if spec is None or spec.takes_uplink or row["feedback_bits"]:
        return None
    if any(row.get(key) is None for key in NEEDED):
        return None
    klt_db = round(row["nmse_pca_db"], 2)
    return Board(data_set(row), row["codeword_dim"], row["num_train"], klt_db)


def table(board: Board, trained: list[Trained], name: str = "") -> Table:
    """Networks of a comparison, the linear KLT among them."""
    rows = [(board.klt_db, [KLT, fixed(board.klt_db), "", fixed(0.0), *[""] * 6])]
    for own in trained:
        first, values = own.rows[0], [row["nmse_db"] for row in own.rows]
        mean = own.mean("nmse_db")
        row = [own.model, fixed(mean), spread(values) if len(values) > 1 else ""]
        row += [fixed(board.klt_db - mean, sign="+"), number(len(values))]
        row += [number(first.get("init")), number(first.get("epochs"))]
        row += [fixed(own.mean("train_seconds") / 60, 1)]
        row += [number(first.get("train_device")), own.source]
        rows.append((mean, row))
    ordered = [row for _, row in sorted(rows, key=lambda item: item[0])]
    return Table(list(COLUMNS), ordered, f"{board.title}.", name)


def picture(board: Board, trained: list[Trained]) -> Picture:
    """The comparison as a ranking."""
    rows = [(KLT, board.klt_db, [board.klt_db])]
    rows += [
        (own.model, own.mean("nmse_db"), [row["nmse_db"] for row in own.rows])
        for own in trained
    ]
    buffer = io.BytesIO()
    plots.save_ranking(rows, NMSE_UNIT, buffer, board.title, most=WORSE_DB)
    order = sorted(rows, key=lambda row: row[1])
    alt = "; ".join(f"{name} {value:.2f} dB" for name, value, _ in order)
    caption = f"{board.title}: ours, smaller is better; dashed: {KLT}."
    return Picture(buffer.getvalue(), caption, f"Best first: {alt}")


def section(contents: dict[Path, dict], link: str = "") -> Section:
    """All comparisons, each as a plot and a table.

    Args:
        contents: results by file.
        link: of the first plot's file from where Markdown is.
    """
    blocks: list = [NOTE]
    for i, (board, trained) in enumerate(boards(contents).items(), 1):
        shown = picture(board, trained)._replace(link=link if i == 1 else "")
        blocks += [shown, table(board, trained, f"leaderboard_{i}")]
    return Section("Leaderboard", "leaderboard", blocks)
