"""Registry of parts by name: built-in ones and those of other packages."""

import subprocess
import sys

import pytest
from installing import installed

from earmark.pipeline.node import NODES, Node
from earmark.pipeline.registry import Registry, RegistryError


def test_every_built_in_node_is_a_node():
    for name in NODES.built_in:
        made = NODES.get(name)
        assert isinstance(made(made.Config()), Node), name


def test_names_are_known_without_importing_nodes():
    """In a new interpreter, because this one may have imported everything already."""
    program = (
        "import sys; from earmark.pipeline.node import NODES; NODES.part('bandpass'); assert len(NODES.names()) > 10; "
        "heavy = {'scipy', 'numba', 'earmark.pipeline.nodes.bandpass'}; assert not heavy & set(sys.modules); "
        "NODES.get('pick'); assert not heavy & set(sys.modules); "
        "NODES.get('bandpass'); assert heavy <= set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_package_adds_a_node_by_entry_point(tmp_path):
    assert "drift" not in NODES.names()
    with installed(tmp_path):
        part = NODES.part("drift")
        assert (part.package, part.version, part.requirement) == ("lab-parts", "1.2", "lab-parts==1.2")
        assert NODES.get("drift").__name__ == "Drift"
        assert NODES.names()[: len(NODES.built_in)] == NODES.built_in
    words = r"there is no node 'drift', only pick, .*entry points of the group 'earmark.nodes': install the one"
    with pytest.raises(RegistryError, match=words):
        NODES.get("drift")


def test_unknown_name_gets_a_suggestion(tmp_path):
    with installed(tmp_path):
        for wrong, near in (("drfit", "drift"), ("bandpas", "bandpass")):
            with pytest.raises(RegistryError, match=f"there is no node '{wrong}', only .*: did you mean '{near}'"):
                NODES.part(wrong)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import nothing_of_this_name", "No module named 'nothing_of_this_name'. Install what is missing"),
        ("raise RuntimeError('needs a licence')", "RuntimeError: needs a licence"),
        ("x = 1", "odd_lab has no Node. Correct the entry point of odd-lab, or install another version"),
        ("x = y", "NameError: .*Correct odd-lab, or install another version of it"),
        ("None.x", "AttributeError: .*Correct odd-lab, or install another version of it"),
    ],
)
def test_import_error_names_the_package_and_the_cause(tmp_path, code, words):
    with installed(tmp_path, {"earmark.nodes": {"theirs": "odd_lab:Node"}}, "odd-lab", "0.3", code):
        NODES.part("theirs")
        message = f"the node 'theirs' of package odd-lab 0.3 cannot be loaded from odd_lab:Node: .*{words}"
        with pytest.raises(RegistryError, match=message):
            NODES.get("theirs")


def test_object_that_is_no_node_is_rejected(tmp_path):
    offers = {"earmark.nodes": {"theirs": "odd_lab:Node"}}
    words = r"odd-lab is offered as node 'theirs', but has no Config nor open .*check_node"
    with installed(tmp_path, offers, "odd-lab", "0.3", "class Node: pass"), pytest.raises(RegistryError, match=words):
        NODES.get("theirs")


def test_duplicate_name_is_rejected_and_others_work(tmp_path):
    offers = {"earmark.nodes": {"notch": "a_lab:Notch", "mine": "a_lab:Mine"}}
    with installed(tmp_path / "a", offers, "a-lab", "1", "class Mine: pass"):
        with pytest.raises(RegistryError, match=r"more than one node is called 'notch': Earmark .* and a-lab"):
            NODES.part("notch")
        assert NODES.part("mine").package == "a-lab"
        assert NODES.get("pick")
        others = {"earmark.nodes": {"mine": "b_lab:Mine"}}
        words = r"called 'mine': b-lab .* and a-lab .*Uninstall all but one"
        with (
            installed(tmp_path / "b", others, "b-lab", "1", "class Mine: pass"),
            pytest.raises(RegistryError, match=words),
        ):
            NODES.part("mine")


def test_required_members_are_those_of_the_registry(tmp_path):
    spaces = Registry[object]("space", "earmark.spaces", {"here": "earmark.pipeline.registry:Registry"}, ("parts",))
    assert spaces.get("here") is Registry


def test_checkers_that_messages_advise_exist():
    import earmark.testing
    from earmark.pipeline.registry import CHECKED

    assert {f"check_{what}" for what in CHECKED} <= set(earmark.testing.__all__)
