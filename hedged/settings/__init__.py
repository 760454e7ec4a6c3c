"""TOML, environment and credential files → frozen values. `load` is the way in; its errors name file, line and key."""

from hedged.settings.faults import Fault, SettingsError
from hedged.settings.load import database_folder, load
from hedged.settings.schema import (
    AccountSettings,
    AlertSettings,
    Document,
    HedgeSettings,
    MqttSettings,
    NotifySettings,
    StoreSettings,
)
from hedged.settings.settings import Settings

__all__ = [
    "AccountSettings",
    "AlertSettings",
    "Document",
    "Fault",
    "HedgeSettings",
    "MqttSettings",
    "NotifySettings",
    "Settings",
    "SettingsError",
    "StoreSettings",
    "database_folder",
    "load",
]
