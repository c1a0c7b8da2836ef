"""Gathers what a config wants, item by item, each with the object it is wanted for."""

from .values import (
    Address,
    ClientFile,
    Desired,
    FarEnd,
    Hook,
    OwnDevice,
    Route,
    Rule,
    RunningProgram,
    Setting,
    SettingsFile,
)


class Wishes:
    """The first object that wants an item is the one blamed when it fails."""

    def __init__(self) -> None:
        self.devices: dict[OwnDevice, str] = {}
        self.far_ends: dict[FarEnd, str] = {}
        self.settings: dict[Setting, str] = {}
        self.addresses: dict[Address, str] = {}
        self.routes: dict[Route, str] = {}
        self.rules: dict[Rule, str] = {}
        self.files: dict[SettingsFile, str] = {}
        self.client_files: dict[ClientFile, str] = {}
        self.programs: dict[RunningProgram, str] = {}
        self.hooks: dict[Hook, str] = {}
        self.warnings: list[tuple[str, str]] = []

    def device(self, item: OwnDevice, about: str) -> None:
        self.devices.setdefault(item, about)

    def far_end(self, item: FarEnd, about: str) -> None:
        self.far_ends.setdefault(item, about)

    def setting(self, item: Setting, about: str) -> None:
        self.settings.setdefault(item, about)

    def address(self, item: Address, about: str) -> None:
        self.addresses.setdefault(item, about)

    def route(self, item: Route, about: str) -> None:
        self.routes.setdefault(item, about)

    def rule(self, item: Rule, about: str) -> None:
        self.rules.setdefault(item, about)

    def file(self, item: SettingsFile, about: str) -> None:
        self.files.setdefault(item, about)

    def client_file(self, item: ClientFile, about: str) -> None:
        self.client_files.setdefault(item, about)

    def program(self, item: RunningProgram, about: str) -> None:
        self.programs.setdefault(item, about)

    def hook(self, item: Hook, about: str) -> None:
        self.hooks.setdefault(item, about)

    def warn(self, about: str, text: str) -> None:
        self.warnings.append((about, text))

    def desired(self) -> Desired:
        return Desired(
            devices=self.devices,
            far_ends=self.far_ends,
            settings=self.settings,
            addresses=self.addresses,
            routes=self.routes,
            rules=self.rules,
            files=self.files,
            client_files=self.client_files,
            programs=self.programs,
            hooks=self.hooks,
            warnings=tuple(self.warnings),
        )
