import pytest

from openbond.server.qos.rules import (
    DEFAULT_CLASSES,
    DEFAULT_FILTERS,
    ClassSpec,
    FilterSpec,
    faults_of_profile,
    is_port_list,
)

ONE = [ClassSpec("All", 100, is_default=True)]


def test_the_default_profile_is_that_of_the_contract_and_has_no_faults() -> None:
    assert [one.bandwidth for one in DEFAULT_CLASSES] == [40, 20, 20, 20]
    assert len(DEFAULT_FILTERS) == 13
    assert faults_of_profile(DEFAULT_CLASSES, DEFAULT_FILTERS) == {}


@pytest.mark.parametrize(
    "classes",
    [
        pytest.param([], id="none"),
        pytest.param([ClassSpec("A", 10)], id="no default"),
        pytest.param([ClassSpec("A", 0, True)], id="no share"),
        pytest.param([ClassSpec("A", 10, True, copies=5)], id="on five legs"),
        pytest.param([ClassSpec("", 10, True)], id="no name"),
        pytest.param([ClassSpec("A", 60, True), ClassSpec("B", 60)], id="more than all"),
        pytest.param([ClassSpec("A", 10, True), ClassSpec("a", 10)], id="two of one name"),
        pytest.param([ClassSpec("A", 10, True), ClassSpec("B", 10, True)], id="two defaults"),
        pytest.param([ClassSpec(str(n), 1, is_default=n == 0) for n in range(17)], id="seventeen"),
    ],
)
def test_bad_classes_are_refused(classes: list[ClassSpec]) -> None:
    assert set(faults_of_profile(classes, [])) == {"classes"}


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(FilterSpec("All"), id="no condition"),
        pytest.param(FilterSpec("None", dscp=46), id="no such class"),
        pytest.param(FilterSpec("All", ports="80,22"), id="ports not ascending"),
        pytest.param(FilterSpec("All", protocol="dccp"), id="no such protocol"),
        pytest.param(FilterSpec("All", ip_version="5"), id="no such version"),
        pytest.param(FilterSpec("All", dscp=64), id="no such DSCP"),
        pytest.param(FilterSpec("All", network="10.0.0.1/8"), id="host bits"),
        pytest.param(FilterSpec("All", max_flow_size=0), id="flow of nothing"),
        pytest.param(FilterSpec("All", protocol="gre", ports="22"), id="ports of gre"),
        pytest.param(
            FilterSpec("All", min_packet_size=500, max_packet_size=40), id="max below min"
        ),
    ],
)
def test_bad_filters_are_refused(bad: FilterSpec) -> None:
    assert set(faults_of_profile(ONE, [bad])) == {"filters"}


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("80", True),
        ("22,80-90,443", True),
        ("80-80", True),
        ("0", False),
        ("65536", False),
        ("90-80", False),
        ("80,80", False),
        ("80, 443", False),
        ("80-", False),
        (",".join(str(n) for n in range(1, 34)), False),
    ],
)
def test_port_lists_ascend(text: str, good: bool) -> None:
    assert is_port_list(text) is good
