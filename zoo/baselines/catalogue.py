"""Classic CSI feedback without a network, to compare networks with.

All of it is written from the papers, under the licence of the zoo. BM3D-AMP (Metzler,
Maleki, Baraniuk 2016) is left out: no package gives a BM3D that this project can depend
on (November 2026). `bm3d` wraps closed binaries for non-commercial use, `bm3d-cupy`
(MIT) and `bm3d-triton` (BSD-2-Clause) are first releases for CUDA only, `bm3dornl`
(MIT) is made for the streaks of tomography. CsiNet's authors report that BM3D-AMP
diverges on this data (indoor +24.72 dB at ratio 1/32).
"""

from __future__ import annotations

# Name -> (paper, one line): what `python -m zoo list` shows.
BASELINES: dict[str, tuple[str, str]] = {
    "dft": (
        "Wen, Shih, Jin: Deep Learning for Massive MIMO CSI Feedback, IEEE Wireless "
        "Communications Letters 7(5), 2018, https://doi.org/10.1109/LWC.2018.2818160 "
        "(the angular-delay domain)",
        "taps with context-adaptive entropy coding, real bytes; own code, Apache-2.0",
    ),
    "fista": (
        "Beck, Teboulle: A Fast Iterative Shrinkage-Thresholding Algorithm for Linear "
        "Inverse Problems, SIAM J. Imaging Sciences 2(1), 2009, "
        "https://doi.org/10.1137/080716542",
        "random measurement, LASSO by accelerated ISTA; own code, Apache-2.0",
    ),
    "klt": (
        "Karhunen-Loeve transform (PCA), e.g. Jolliffe: Principal Component Analysis, "
        "Springer 2002, https://doi.org/10.1007/b98835",
        "M/2 strongest complex principal components; own code, Apache-2.0",
    ),
    "klt_coded": (
        "Goyal: Theoretical Foundations of Transform Coding, IEEE Signal Processing "
        "Magazine 18(5), 2001, https://doi.org/10.1109/79.952802",
        "KLT, one step, entropy-coded, real bytes; own code, Apache-2.0",
    ),
    "klt_mixture": (
        "Effros, Chou, Gray: Weighted Universal Image Compression, IEEE Trans. Image "
        "Processing 8(10), 1999, https://doi.org/10.1109/83.791958",
        "16 KLTs, one step, entropy-coded, real bytes; own code, Apache-2.0",
    ),
    "lasso": (
        "Daubechies, Defrise, De Mol: An Iterative Thresholding Algorithm for Linear "
        "Inverse Problems with a Sparsity Constraint, Comm. Pure Appl. Math. 57(11), "
        "2004, https://doi.org/10.1002/cpa.20042",
        "random measurement, LASSO by ISTA; own code, Apache-2.0",
    ),
    "pursuit": (
        "Pati, Rezaiifar, Krishnaprasad: Orthogonal Matching Pursuit, Asilomar "
        "Conference 1993, https://doi.org/10.1109/ACSSC.1993.342465",
        "paths of an oversampled angle-delay grid, real bytes; own code, Apache-2.0",
    ),
    "pursuit_learned": (
        "Pati, Rezaiifar, Krishnaprasad: Orthogonal Matching Pursuit, Asilomar "
        "Conference 1993, https://doi.org/10.1109/ACSSC.1993.342465",
        "pursuit whose positions have a learned context; own code, Apache-2.0",
    ),
    "tval3": (
        "Li, Yin, Jiang, Zhang: An Efficient Augmented Lagrangian Method with "
        "Applications to Total Variation Minimization, Comput. Optim. Appl. 56, 2013, "
        "https://doi.org/10.1007/s10589-013-9576-1",
        "random measurement, total variation; own code, Apache-2.0, nothing of the "
        "authors' MATLAB package",
    ),
}

_SPECIFICATION = (
    "3GPP TS 38.214: NR; Physical layer procedures for data, clause {}, "
    "https://www.3gpp.org/dynareport/38214.htm"
)

# Codebooks of precoders, which send eigenvectors of subbands instead of the CSI.
CODEBOOKS: dict[str, tuple[str, str]] = {
    "etype2": (
        _SPECIFICATION.format("5.2.2.2.5"),
        "Rel-16 enhanced Type II, real bits; own code, Apache-2.0",
    ),
    "type1": (
        _SPECIFICATION.format("5.2.2.2.1"),
        "Type I single panel, wideband, real bits; own code, Apache-2.0",
    ),
    "type2": (
        _SPECIFICATION.format("5.2.2.2.3"),
        "Rel-15 Type II, real bits; own code, Apache-2.0",
    ),
}

# Those that send real bytes of a given number instead of M numbers, see `zoo.codecs`.
CODED = ("dft", "klt_coded", "klt_mixture", "pursuit", "pursuit_learned")
# Those that networks which send eigenvectors are compared with (--target).
OF_EIGENVECTORS = ("klt", "klt_coded", "klt_mixture")
