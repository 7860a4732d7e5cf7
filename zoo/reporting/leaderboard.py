"""Networks and the linear KLT at equal ratio and equal data, best first."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import NamedTuple

from zoo import registry
from zoo.baselines.catalogue import BASELINES
from zoo.metrics import plots
from zoo.reporting import pareto, published_weights, rate_columns
from zoo.reporting.blocks import KLT, NMSE_UNIT, Picture, Section, Table
from zoo.reporting.cells import csi_values, device, fixed, number, spread, variant
from zoo.reporting.pareto import MIN_NETWORKS
from zoo.reporting.rate_curves import data_set
from zoo.reporting.results_files import complete

NOTE = (
    "Our own trainings on our own simulated channels, short ones on CPUs, so this "
    "compares short trainings, not what the networks can reach. Networks of one table "
    "have the same codeword length, the same test CSI, the same training set and as "
    "many training examples seen; start and schedule are each training's own, and the "
    "codeword is float. A variant of a network has a row of its own. Of several "
    "trainings of one network it shows that with the lowest validation NMSE, where "
    "all rows record it, else that with the most seeds, of equals the first by file: "
    "never the best on the test split. NMSE is a mean over seeds; best epoch 0 is the "
    "start itself, which no epoch was better than. Minutes are those of one seed on "
    "the device beside them. The baseline is the linear KLT (PCA of the same training "
    "set, as many real numbers). A network below it is only of use where it is cheaper "
    "than the KLT, see Accuracy against cost. " + rate_columns.NOTE
)
WORSE_DB = 0.0  # from here on it is better to send nothing
TITLE_WIDTH = 50  # characters of a line above a plot
NEEDED = ("nmse_pca_db", "train_seconds", "num_train", "epochs")
COLUMNS = (
    "network", f"ours, {NMSE_UNIT}", "ours, spread", "better than KLT [dB]",
    *rate_columns.COLUMNS, "seeds", "start", "epochs", "best epoch", "ours, minutes",
    "device", "file",
)  # fmt: skip


class Board(NamedTuple):
    """What is equal in a comparison.

    Attributes:
        data: data set and configuration; ':stream' behind it: new CSI in each epoch.
        codeword_dim: M.
        num_train: CSI of the training set, or of an epoch where they are new ones.
        epochs: how often as many were seen.
        klt_db: NMSE of the linear KLT [dB], two decimals.
        csi_values: real values of one CSI matrix.
    """

    data: str
    codeword_dim: int
    num_train: int
    epochs: int
    klt_db: float
    csi_values: int

    @property
    def title(self) -> str:
        """Ratio and data in words."""
        name, stream, _ = self.data.partition(":stream")
        kind = "new ones in each epoch" if stream else "the same in each epoch"
        ratio = self.csi_values // self.codeword_dim
        seen = f"{self.epochs} epochs of {self.num_train:,} training CSI"
        return f"1/{ratio}, {name}, {seen}, {kind}"


class Trained(NamedTuple):
    """A network's trainings that differ in nothing but the seed.

    Attributes:
        name: network and the options of a variant.
        rows: results rows, one per seed.
        source: results file.
    """

    name: str
    rows: list[dict]
    source: str

    def mean(self, key: str) -> float:
        """Mean of a number over the seeds."""
        return sum(row[key] for row in self.rows) / len(self.rows)


def chosen(trainings: list[Trained]) -> Trained:
    """The training of a network that is shown: no test value has a say in it."""
    if all("best_val_nmse_db" in row for own in trainings for row in own.rows):
        return min(trainings, key=lambda own: own.mean("best_val_nmse_db"))
    return max(trainings, key=lambda own: len(own.rows))


def boards(contents: dict[Path, dict]) -> dict[Board, list[Trained]]:
    """Comparisons with at least three networks, the largest first."""
    found: dict[Board | None, dict[str, list[Trained]]] = {}
    for path, content in contents.items():
        if "SNR" in content.get("x", ""):  # noise is other data
            continue
        with complete(path):
            for _, rows in pareto.trained(content):
                new = Trained(variant(rows[0]), rows, path.name)
                own = found.setdefault(board_of(rows[0]), {})
                own.setdefault(new.name, []).append(new)
    found.pop(None, None)
    shown = {b: [chosen(own) for own in names.values()] for b, names in found.items()}
    large = {b: own for b, own in shown.items() if _networks(own) >= MIN_NETWORKS}
    return dict(sorted(large.items(), key=lambda item: -_networks(item[1])))


def _networks(found: list[Trained]) -> int:
    """Different networks, variants not counted."""
    return len({own.rows[0]["model"] for own in found})


def board_of(row: dict) -> Board | None:
    """Where a row belongs; None: quantised, with side information, or no baseline."""
    spec = registry.MODELS.get(row["model"])
    classic = spec is None and row["model"] in BASELINES
    if classic or (spec and spec.takes_uplink) or row["feedback_bits"]:
        return None
    if any(row.get(key) is None for key in NEEDED):
        return None
    klt_db = round(row["nmse_pca_db"], 2)
    size = row["num_train"], row["epochs"]
    return Board(data_set(row), row["codeword_dim"], *size, klt_db, csi_values(row))


def table(board: Board, trained: list[Trained], name: str = "") -> Table:
    """Networks of a comparison, the linear KLT among them."""
    bits = rate_columns.cells({"codeword_dim": board.codeword_dim}, board.data)
    line = [KLT, fixed(board.klt_db), "", fixed(0.0), *bits, *[""] * 7]
    rows = [(board.klt_db, line)]
    for own in trained:
        first, values = own.rows[0], [row["nmse_db"] for row in own.rows]
        mean = own.mean("nmse_db")
        row = [own.name, fixed(mean), spread(values) if len(values) > 1 else ""]
        row += [fixed(board.klt_db - mean, sign="+"), *bits, number(len(values))]
        row += [number(first.get("init")), number(board.epochs)]
        row += [_each(row.get("best_epoch") for row in own.rows)]
        row += [fixed(own.mean("train_seconds") / 60, 1)]
        row += [device(first.get("train_device") or ""), own.source]
        rows.append((mean, row))
    ordered = [row for _, row in sorted(rows, key=lambda item: item[0])]
    return Table(list(COLUMNS), ordered, f"{board.title}.", name)


def _each(values) -> str:
    """Different values of several seeds."""
    different = sorted(set(values) - {None})
    shown = ", ".join(map(str, different))
    return number(different[0]) if len(different) == 1 else shown


def picture(board: Board, trained: list[Trained]) -> Picture:
    """The comparison as a ranking."""
    rows = [(KLT, board.klt_db, [board.klt_db])]
    rows += [
        (own.name, own.mean("nmse_db"), [row["nmse_db"] for row in own.rows])
        for own in trained
    ]
    buffer = io.BytesIO()
    title = textwrap.fill(board.title, TITLE_WIDTH)
    plots.save_ranking(rows, NMSE_UNIT, buffer, title, most=WORSE_DB)
    order = sorted(rows, key=lambda row: row[1])
    alt = "; ".join(f"{name} {value:.2f} dB" for name, value, _ in order)
    caption = f"{board.title}: ours, smaller is better; dashed: {KLT}."
    return Picture(buffer.getvalue(), caption, f"Best first: {alt}")


def section(contents: dict[Path, dict], link: str = "") -> Section:
    """All comparisons, each as a plot and a table, and published weights below.

    Args:
        contents: results by file.
        link: of the first plot's file from where Markdown is.
    """
    blocks: list = [NOTE]
    for i, (board, trained) in enumerate(boards(contents).items(), 1):
        shown = picture(board, trained)._replace(link=link if i == 1 else "")
        blocks += [shown, table(board, trained, f"leaderboard_{i}")]
    blocks += published_weights.blocks(contents)
    return Section("Leaderboard", "leaderboard", blocks)
