"""What Home Assistant accepts of a device's description, as facts and as a check.

Taken from Home Assistant 2026.2.3: `components/sensor/const.py` (SensorDeviceClass, DEVICE_CLASS_UNITS,
DEVICE_CLASS_STATE_CLASSES, STATE_CLASS_UNITS), `components/binary_sensor/__init__.py` (BinarySensorDeviceClass),
`components/mqtt/abbreviations.py`, `components/mqtt/schemas.py` (DEVICE_DISCOVERY_SCHEMA, what is required),
`components/mqtt/sensor.py` and `binary_sensor.py` (their schemas and `validate_sensor_state_and_device_class_config`),
`components/mqtt/discovery.py` (TOPIC_MATCHER), `components/mqtt/util.py` (valid_topic, valid_subscribe_topic).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# fmt: off
SENSOR: Mapping[str, tuple[set[str | None] | None, set[str]]] = {
    # device class: (units, None where any will do; state classes)
    "absolute_humidity": ({"g/m³", "mg/m³"}, {"measurement"}),
    "apparent_power": ({"VA", "kVA", "mVA"}, {"measurement"}),
    "aqi": ({None}, {"measurement"}),
    "area": ({"ac", "cm²", "ft²", "ha", "in²", "km²", "mi²", "mm²", "m²", "yd²"}, {"measurement", "measurement_angle", "total", "total_increasing"}),
    "atmospheric_pressure": ({"Pa", "bar", "cbar", "hPa", "inHg", "inH₂O", "kPa", "mPa", "mbar", "mmHg", "psi"}, {"measurement"}),
    "battery": ({"%"}, {"measurement"}),
    "blood_glucose_concentration": ({"mg/dL", "mmol/L"}, {"measurement"}),
    "carbon_dioxide": ({"ppm"}, {"measurement"}),
    "carbon_monoxide": ({"mg/m³", "ppb", "ppm", "μg/m³"}, {"measurement"}),
    "conductivity": ({"S/cm", "mS/cm", "μS/cm"}, {"measurement"}),
    "current": ({"A", "mA"}, {"measurement"}),
    "data_rate": ({"B/s", "GB/s", "Gbit/s", "GiB/s", "KiB/s", "MB/s", "Mbit/s", "MiB/s", "bit/s", "kB/s", "kbit/s"}, {"measurement"}),
    "data_size": ({"B", "EB", "EiB", "GB", "Gbit", "GiB", "KiB", "MB", "Mbit", "MiB", "PB", "PiB", "TB", "TiB", "YB", "YiB", "ZB", "ZiB", "bit", "kB", "kbit"}, {"measurement", "measurement_angle", "total", "total_increasing"}),
    "date": (None, set()),
    "distance": ({"cm", "ft", "in", "km", "m", "mi", "mm", "nmi", "yd"}, {"measurement", "measurement_angle", "total", "total_increasing"}),
    "duration": ({"d", "h", "min", "ms", "s", "μs"}, {"measurement", "measurement_angle", "total", "total_increasing"}),
    "energy": ({"GJ", "GWh", "Gcal", "J", "MJ", "MWh", "Mcal", "TWh", "Wh", "cal", "kJ", "kWh", "kcal", "mWh"}, {"total", "total_increasing"}),
    "energy_distance": ({"Wh/km", "kWh/100km", "km/kWh", "mi/kWh"}, {"measurement"}),
    "energy_storage": ({"GJ", "GWh", "Gcal", "J", "MJ", "MWh", "Mcal", "TWh", "Wh", "cal", "kJ", "kWh", "kcal", "mWh"}, {"measurement"}),
    "enum": (None, set()),
    "frequency": ({"GHz", "Hz", "MHz", "kHz"}, {"measurement"}),
    "gas": ({"CCF", "L", "MCF", "ft³", "m³"}, {"total", "total_increasing"}),
    "humidity": ({"%"}, {"measurement"}),
    "illuminance": ({"lx"}, {"measurement"}),
    "irradiance": ({"BTU/(h⋅ft²)", "W/m²"}, {"measurement"}),
    "moisture": ({"%"}, {"measurement"}),
    "monetary": (None, {"total"}),
    "nitrogen_dioxide": ({"ppb", "μg/m³"}, {"measurement"}),
    "nitrogen_monoxide": ({"ppb", "μg/m³"}, {"measurement"}),
    "nitrous_oxide": ({"μg/m³"}, {"measurement"}),
    "ozone": ({"ppb", "μg/m³"}, {"measurement"}),
    "ph": ({None}, {"measurement"}),
    "pm1": ({"μg/m³"}, {"measurement"}),
    "pm10": ({"μg/m³"}, {"measurement"}),
    "pm25": ({"μg/m³"}, {"measurement"}),
    "pm4": ({"μg/m³"}, {"measurement"}),
    "power": ({"GW", "MW", "TW", "W", "kW", "mW"}, {"measurement"}),
    "power_factor": ({"%", None}, {"measurement"}),
    "precipitation": ({"cm", "in", "mm"}, {"measurement", "measurement_angle", "total", "total_increasing"}),
    "precipitation_intensity": ({"in/d", "in/h", "mm/d", "mm/h"}, {"measurement"}),
    "pressure": ({"Pa", "bar", "cbar", "hPa", "inHg", "inH₂O", "kPa", "mPa", "mbar", "mmHg", "psi"}, {"measurement"}),
    "reactive_energy": ({"kvarh", "varh"}, {"total", "total_increasing"}),
    "reactive_power": ({"kvar", "mvar", "var"}, {"measurement"}),
    "signal_strength": ({"dB", "dBm"}, {"measurement"}),
    "sound_pressure": ({"dB", "dBA"}, {"measurement"}),
    "speed": ({"Beaufort", "ft/s", "in/d", "in/h", "in/s", "km/h", "kn", "m/min", "m/s", "mm/d", "mm/h", "mm/s", "mph"}, {"measurement"}),
    "sulphur_dioxide": ({"ppb", "μg/m³"}, {"measurement"}),
    "temperature": ({"K", "°C", "°F"}, {"measurement"}),
    "temperature_delta": ({"K", "°C", "°F"}, {"measurement"}),
    "timestamp": (None, set()),
    "volatile_organic_compounds": ({"mg/m³", "μg/m³"}, {"measurement"}),
    "volatile_organic_compounds_parts": ({"ppb", "ppm"}, {"measurement"}),
    "voltage": ({"MV", "V", "kV", "mV", "μV"}, {"measurement"}),
    "volume": ({"CCF", "L", "MCF", "fl. oz.", "ft³", "gal", "mL", "m³"}, {"total", "total_increasing"}),
    "volume_flow_rate": ({"L/h", "L/min", "L/s", "ft³/min", "gal/d", "gal/h", "gal/min", "mL/s", "m³/h", "m³/min", "m³/s"}, {"measurement"}),
    "volume_storage": ({"CCF", "L", "MCF", "fl. oz.", "ft³", "gal", "mL", "m³"}, {"measurement"}),
    "water": ({"CCF", "L", "MCF", "ft³", "gal", "m³"}, {"total", "total_increasing"}),
    "weight": ({"g", "kg", "lb", "mg", "oz", "st", "μg"}, {"measurement", "total", "total_increasing"}),
    "wind_direction": ({"°"}, {"measurement_angle"}),
    "wind_speed": ({"Beaufort", "ft/s", "in/s", "km/h", "kn", "m/min", "m/s", "mm/s", "mph"}, {"measurement"}),
}
# fmt: on

BINARY_SENSOR = frozenset(
    [
        "battery",
        "battery_charging",
        "carbon_monoxide",
        "cold",
        "connectivity",
        "door",
        "garage_door",
        "gas",
        "heat",
        "light",
        "lock",
        "moisture",
        "motion",
        "moving",
        "occupancy",
        "opening",
        "plug",
        "power",
        "presence",
        "problem",
        "running",
        "safety",
        "smoke",
        "sound",
        "tamper",
        "update",
        "vibration",
        "window",
    ]
)
STATE_CLASSES = frozenset({"measurement", "measurement_angle", "total", "total_increasing"})
STATE_CLASS_UNITS = {"measurement_angle": {"°"}}

ABBREVIATIONS = {
    "avty_t": "availability_topic",
    "cmps": "components",
    "dev": "device",
    "dev_cla": "device_class",
    "exp_aft": "expire_after",
    "o": "origin",
    "p": "platform",
    "stat_cla": "state_class",
    "stat_t": "state_topic",
    "sug_dsp_prc": "suggested_display_precision",
    "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement",
    "val_tpl": "value_template",
}
DEVICE_ABBREVIATIONS = {"ids": "identifiers", "mf": "manufacturer", "mdl": "model", "sw": "sw_version"}
ORIGIN_ABBREVIATIONS = {"sw": "sw_version", "url": "support_url"}

TOPIC = re.compile(r"(?P<component>\w+)/(?:(?P<node_id>[a-zA-Z0-9_-]+)/)?(?P<object_id>[a-zA-Z0-9_-]+)/config")

_TEXT = ("name", "unique_id", "value_template", "state_topic", "unit_of_measurement")


def problems(topic: str, message: Mapping[str, Any], prefix: str = "homeassistant") -> Iterator[str]:
    """Everything for which Home Assistant would refuse the message, or an entity of it."""
    match = TOPIC.fullmatch(topic.removeprefix(f"{prefix}/"))
    if match is None or match["component"] != "device":
        yield f"topic {topic}"
    whole = _long(message, ABBREVIATIONS)
    for key in ("device", "components", "origin"):
        if not isinstance(whole.get(key), dict):
            yield f"no {key}"
            return
    if unknown := whole.keys() - {"device", "components", "origin", "availability_topic"}:
        yield f"unknown keys {unknown}"
    if not _is_topic(whole["availability_topic"]):
        yield "availability_topic"
    device, origin = _long(whole["device"], DEVICE_ABBREVIATIONS), _long(whole["origin"], ORIGIN_ABBREVIATIONS)
    if not device.get("identifiers"):
        yield "the device has no identifier"
    if unknown := device.keys() - {"identifiers", "name", "manufacturer", "model", "sw_version"}:
        yield f"unknown keys of the device {unknown}"
    if not isinstance(origin.get("name"), str):
        yield "the origin has no name"
    seen: set[str] = set()
    for key, short in whole["components"].items():
        entity = _long(short, ABBREVIATIONS)
        yield from (f"{key}: {problem}" for problem in _entity_problems(entity))
        if entity.get("unique_id") in seen:
            yield f"{key}: unique_id {entity['unique_id']} is there twice"
        seen.add(str(entity.get("unique_id")))


def _entity_problems(entity: Mapping[str, Any]) -> Iterator[str]:
    platform = entity.get("platform")
    if platform not in {"sensor", "binary_sensor"}:
        yield f"platform {platform}"
        return
    if entity.keys() == {"platform"}:
        return  # how one is removed
    for key in ("unique_id", "state_topic"):
        if key not in entity:
            yield f"no {key}"
    for key in _TEXT:
        if key in entity and not isinstance(entity[key], str):
            yield f"{key} is no text"
    if not _is_topic(entity.get("state_topic")):
        yield f"state_topic {entity.get('state_topic')}"
    for key in ("expire_after", "suggested_display_precision"):
        if key in entity and not (type(entity[key]) is int and entity[key] >= 0):
            yield f"{key} {entity[key]}"
    shared = {"platform", "unique_id", "name", "state_topic", "value_template", "expire_after", "device_class"}
    if platform == "binary_sensor":
        if entity.get("device_class", "problem") not in BINARY_SENSOR:
            yield f"device_class {entity['device_class']}"
        if unknown := entity.keys() - shared:
            yield f"unknown keys {unknown}"
        return
    if unknown := entity.keys() - shared - {"state_class", "unit_of_measurement", "suggested_display_precision"}:
        yield f"unknown keys {unknown}"
    yield from _class_problems(entity.get("device_class"), entity.get("state_class"), entity.get("unit_of_measurement"))


def _class_problems(device_class: str | None, state_class: str | None, unit: str | None) -> Iterator[str]:
    """Of a sensor: class, kind of state and unit have to go together."""
    if state_class is not None and state_class not in STATE_CLASSES:
        yield f"state_class {state_class}"
    if state_class in STATE_CLASS_UNITS and unit not in STATE_CLASS_UNITS[state_class]:
        yield f"unit {unit} with state_class {state_class}"
    if device_class is None:
        return
    if device_class not in SENSOR:
        yield f"device_class {device_class}"
        return
    units, states = SENSOR[device_class]
    if units is not None and unit not in units:
        yield f"unit {unit} with device_class {device_class}"
    if device_class in {"date", "enum", "timestamp"} and unit is not None:
        yield f"unit {unit} with device_class {device_class}, which is no number"
    if state_class is not None and state_class not in states:
        yield f"state_class {state_class} with device_class {device_class}"


def _long(message: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in message.items()}


def _is_topic(topic: object) -> bool:
    """That can be subscribed to and names one thing: no wildcard, no character that is none."""
    if not isinstance(topic, str) or not 0 < len(topic.encode()) <= 65_535 or "+" in topic or "#" in topic:
        return False
    return not any(
        char <= "\u001f" or "\u007f" <= char <= "\u009f" or "\ufdd0" <= char <= "\ufdef" or ord(char) & 0xFFFF >= 0xFFFE
        for char in topic
    )
