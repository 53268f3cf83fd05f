"""The file that makes a machine one loudspeaker."""

from pathlib import Path

import pytest
from speakerlab import COUNTY, KEY, VILLAGE

from hub.speakers.device.device_file import BadDeviceFile, DeviceFile, load_devices, save_devices


def a_device(folder: Path, name: str = "horn-1") -> DeviceFile:
    return DeviceFile(
        id=name,
        number=3,
        secret='a "quoted" secret \\ of some length',
        broker_host="127.0.0.1",
        broker_port=1883,
        regions=(COUNTY, VILLAGE),
        hub_keys={"h1": KEY.public()},
        state_dir=str(folder / "state"),
    )


def test_a_device_file_comes_back_as_saved_for_its_owner_alone(tmp_path: Path) -> None:
    path, device = tmp_path / "horn.toml", a_device(tmp_path)
    device.save(path)
    assert DeviceFile.load(path) == device
    assert path.stat().st_mode & 0o077 == 0
    assert device.secret not in repr(device)


def test_a_relative_state_folder_lies_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "horn.toml"
    a_device(tmp_path).model_copy(update={"state_dir": "here"}).save(path)
    assert DeviceFile.load(path).state_dir == str(tmp_path / "here")


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('id = "horn-1"', 'id = "Horn 1"', "id"),
        ("number = 3", "number = 0", "number"),
        ("broker_port = 1883", 'broker_port = "x"', "broker_port"),
        ("number = 3", "number = 3\nnumbr = 4", "numbr"),
        ("number = 3", "number = ", "cannot be read"),
        (f'h1 = "{KEY.public()}"', 'h1 = "AAAA"', "h1"),
        (f'"{COUNTY}"', '"12"', "regions"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path: Path, before: str, after: str, complaint: str) -> None:
    path = tmp_path / "horn.toml"
    a_device(tmp_path).save(path)
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    with pytest.raises(BadDeviceFile, match=complaint) as caught:
        DeviceFile.load(path)
    assert str(path) in str(caught.value)


def test_more_nodes_of_the_broker_follow_the_first(tmp_path: Path) -> None:
    path = tmp_path / "horn.toml"
    device = a_device(tmp_path).model_copy(update={"brokers": ("10.0.0.2:1884", "[fd00::1]:1885", "127.0.0.1:1883")})
    device.save(path)
    loaded = DeviceFile.load(path)
    assert loaded == device
    assert loaded.addresses() == [("127.0.0.1", 1883), ("10.0.0.2", 1884), ("fd00::1", 1885)]


@pytest.mark.parametrize("node", ["10.0.0.2", "10.0.0.2:0", "10.0.0.2:99999", "a b:1883", "http://x:1883"])
def test_a_node_without_host_and_port_is_refused(tmp_path: Path, node: str) -> None:
    path = tmp_path / "horn.toml"
    a_device(tmp_path).save(path)
    path.write_text(path.read_text().replace("number = 3", f'number = 3\nbrokers = ["{node}"]'))
    with pytest.raises(BadDeviceFile, match="brokers"):
        DeviceFile.load(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(BadDeviceFile, match="no such device file"):
        DeviceFile.load(tmp_path / "nowhere.toml")


def test_many_devices_come_back_and_a_wrong_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "devices.jsonl"
    devices = [a_device(tmp_path, f"horn-{number}") for number in range(3)]
    save_devices(path, devices)
    assert load_devices(path) == devices
    path.write_text(path.read_text() + "{}\n")
    with pytest.raises(BadDeviceFile, match="line 4"):
        load_devices(path)
    path.write_text("")
    with pytest.raises(BadDeviceFile, match="no devices"):
        load_devices(path)
