from earmark.kernels.words import counted


def test_one_is_singular_and_all_others_are_plural():
    assert [counted(n, "run") for n in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
