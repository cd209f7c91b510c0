"""Mixed and censored models against published data, with values of R: lme4 1.1-31 and survival 3.5-3 (R 4.2.2)."""

from __future__ import annotations

import numpy as np
import pytest

from il2cyto.models.censored import fit_censored
from il2cyto.models.mixed import fit_random_intercept
from il2cyto.models.mmrm import fit_mmrm

#: ``sleepstudy`` of lme4 (Belenky et al., Journal of Sleep Research 12 (2003) 1): ms of 18 subjects on days 0 to 9.
SLEEP = """
249.5600 258.7047 250.8006 321.4398 356.8519 414.6901 382.2038 290.1486 430.5853 466.3535
222.7339 205.2658 202.9778 204.7070 207.7161 215.9618 213.6303 217.7272 224.2957 237.3142
199.0539 194.3322 234.3200 232.8416 229.3074 220.4579 235.4208 255.7511 261.0125 247.5153
321.5426 300.4002 283.8565 285.1330 285.7973 297.5855 280.2396 318.2613 305.3495 354.0487
287.6079 285.0000 301.8206 320.1153 316.2773 293.3187 290.0750 334.8177 293.7469 371.5811
234.8606 242.8118 272.9613 309.7688 317.4629 309.9976 454.1619 346.8311 330.3003 253.8644
283.8424 289.5550 276.7693 299.8097 297.1710 338.1665 332.0265 348.8399 333.3600 362.0428
265.4731 276.2012 243.3647 254.6723 279.0244 284.1912 305.5248 331.5229 335.7469 377.2990
241.6083 273.9472 254.4907 270.8021 251.4519 254.6362 245.4523 235.3110 235.7541 237.2466
312.3666 313.8058 291.6112 346.1222 365.7324 391.8385 404.2601 416.6923 455.8643 458.9167
236.1032 230.3167 238.9256 254.9220 250.7103 269.7744 281.5648 308.1020 336.2806 351.6451
256.2968 243.4543 256.2046 255.5271 268.9165 329.7247 379.4445 362.9184 394.4872 389.0527
250.5265 300.0576 269.8939 280.5891 271.8274 304.6336 287.7466 266.5955 321.5418 347.5655
221.6771 298.1939 326.8785 346.8555 348.7402 352.8287 354.4266 360.4326 375.6406 388.5417
271.9235 268.4369 257.2424 277.6566 314.8222 317.2135 298.1353 348.1229 340.2800 366.5131
225.2640 234.5235 238.9008 240.4730 267.5373 344.1937 281.1481 347.5855 365.1630 372.2288
269.8804 272.4428 277.8989 281.7895 279.1705 284.5120 259.2658 304.6306 350.7807 369.4692
269.4117 273.4740 297.5968 310.6316 287.1726 329.6076 334.4818 343.2199 369.1417 364.1236
"""


@pytest.fixture
def sleep() -> tuple[np.ndarray, np.ndarray]:
    """Reaction times ``(18, 10)`` and the design of intercept and day ``(18, 10, 2)``."""
    times = np.array([line.split() for line in SLEEP.strip().splitlines()], dtype=np.float64)
    design = np.stack([np.ones(times.shape), np.broadcast_to(np.arange(10.0), times.shape)], axis=2)
    return times, design


def test_a_random_intercept_is_that_of_lme4(sleep: tuple[np.ndarray, np.ndarray]) -> None:
    """``lmer(Reaction ~ Days + (1 | Subject), sleepstudy)``."""
    times, design = sleep
    fit = fit_random_intercept(times.ravel(), design.reshape(-1, 2), np.repeat(np.arange(18), 10))
    assert fit.params == pytest.approx([251.4051048485, 10.4672859596], rel=1e-9)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx([9.746716269209, 0.804221428945], rel=1e-5)
    assert np.sqrt([fit.between, fit.within]) == pytest.approx([37.1238267668, 30.9912338986], rel=1e-5)


def test_compound_symmetry_has_its_likelihood(sleep: tuple[np.ndarray, np.ndarray]) -> None:
    times, design = sleep
    fit = fit_mmrm(times, design, "cs")
    assert -fit.minus_two_log_likelihood / 2 == pytest.approx(-893.232542697, abs=1e-6)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx([9.746716269209, 0.804221428945], rel=1e-6)
    censored = fit_censored(
        times.ravel(), np.zeros(180, dtype=np.int8), design.reshape(-1, 2), np.repeat(np.arange(18), 10)
    )
    assert censored.params == pytest.approx(fit.params, rel=1e-6)
    assert (censored.sd_between, censored.sd_within) == pytest.approx((37.1238267668, 30.9912338986), rel=1e-3)


#: Tobin, Econometrica 26 (1958) 24, as ``survival::tobin``: durable goods bought, age, liquidity; 0 is a limit.
TOBIN = np.array([
    [0.0, 57.7, 236], [0.7, 50.9, 283], [0.0, 48.5, 207], [0.0, 41.7, 220], [0.0, 47.7, 238], [0.0, 59.8, 216],
    [0.0, 44.3, 284], [3.7, 45.1, 221], [0.0, 51.7, 275], [3.0, 50.0, 269], [10.4, 46.8, 207], [0.0, 58.0, 249],
    [0.0, 58.9, 246], [0.0, 40.0, 277], [1.5, 34.1, 231], [0.0, 39.9, 219], [0.0, 33.4, 240], [3.5, 48.1, 266],
    [6.1, 46.6, 214], [0.0, 53.1, 251],
])  # fmt: skip


def test_tobins_own_example() -> None:
    """``survreg(Surv(durable, durable > 0, type = "left") ~ age + quant, tobin, dist = "gaussian", scale = s)``.

    The deviation s is that of the restricted likelihood, 8.41; maximum likelihood has 5.57, which seven values known of
    twenty and three effects make too small. Given it, the effects are survreg's.
    """
    design = np.column_stack([np.ones(20), TOBIN[:, 1:]])
    censor = np.where(TOBIN[:, 0] > 0, 0, -1).astype(np.int8)
    fit = fit_censored(TOBIN[:, 0], censor, design, np.arange(20))
    assert fit.converged
    assert fit.sd_within == pytest.approx(8.40526105, rel=1e-5)
    assert fit.params == pytest.approx([16.3301460961160, -0.1965867199942, -0.0457505433488], rel=1e-5)
