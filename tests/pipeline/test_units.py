"""Units in the spellings that files and senders use."""

import pytest

from earmark.pipeline.units import has_factor, microvolts, stated_unit

SPELLINGS = {
    1e6: ["V", "v", "volt", "Volts", "VOLTS", " V ", "(V)", "[V]", "FIFF_UNIT_V", "FIFFB_ISOTRAK"],
    1e3: ["mV", "MV", "millivolt", "milliVolts", "m V", "-3"],
    1.0: [
        *(
            "uV",
            "UV",
            "\u00b5V",
            "\u03bcV",
            "\u00b5Volts",
            "\u03bcv",
            "microvolt",
            "Microvolts",
            "MicroVolts",
            "micro V",
        ),
        *("uVolt", "micro_volts", "(uV)", "[\u00b5V]", "\u33b6", "u V", "uV.", "\u00b5 V", "uV\0", "-6"),
        "\u00b5V".encode().decode("latin-1"),
        "\u03bcV".encode().decode("latin-1"),
        "\u03bcV".encode("shift-jis").decode("latin-1"),
    ],
    1e-3: ["nV", "nanovolts", "NanoVolt", "-9"],
}


@pytest.mark.parametrize(("spelling", "factor"), [(s, f) for f, all_of in SPELLINGS.items() for s in all_of])
def test_every_spelling_of_volts_is_known(spelling, factor):
    assert microvolts(spelling) == factor
    assert stated_unit(spelling), "and is a unit"


@pytest.mark.parametrize(
    "word",
    ["", " ", "0", "1", "none", "None", "NONE", "unknown", "Unknown", "n/a", "N/A", "NA", "NaN", "-", "?", "a.u.", "AU",
     "arbitrary", "Arbitrary Units", "arb. units", "no unit", "not specified", "undefined", "dimensionless", None],
)  # fmt: skip
def test_texts_that_are_no_unit_count_as_unknown(word):
    assert stated_unit(word) == ""
    assert microvolts(word or "") is None


@pytest.mark.parametrize(
    "unit", ["uS", "mmHg", "%", "degC", "g", "T", "fT/cm", "Boolean", "counts", "nVm", "uV^2", "kV"]
)
def test_other_units_are_kept_but_are_not_volts(unit):
    assert microvolts(unit) is None
    assert stated_unit(f" {unit} ") == unit


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("0.0488 uV", 0.0488),
        ("0.5\u00b5V", 0.5),
        ("0,1 \u03bcV", 0.1),
        ("1e-3 mV", 1.0),
        ("4.5e-7 x V", 0.45),
        ("2 V", 2e6),
    ],
)
def test_number_before_a_unit_is_a_factor(unit, factor):
    assert microvolts(unit) == pytest.approx(factor, rel=1e-12)
    assert has_factor(unit)


@pytest.mark.parametrize("unit", ["uV", "-6", "-3", "0 uV", "1e400 V", "5", "0.1 mmHg", "-2 uV", "2 uV 3", ""])
def test_invalid_factor_gives_none(unit):
    assert not has_factor(unit)
