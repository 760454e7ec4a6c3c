"""What `hedged doctor` asks of the MQTT broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedged.cli.check import Check

if TYPE_CHECKING:
    from hedged.adapters.channels.mqtt_client import MqttOptions
    from hedged.settings import Settings
    from hedged.settings.schema import MqttSettings


async def mqtt_checks(settings: Settings) -> list[Check]:
    """Whether it lets us in, whether each topic can be written and read, and who else may ask something of us."""
    from hedged.adapters.channels.mqtt_visit import visit
    from hedged.app import mqtt_options
    from hedged.errors import DeliveryError

    if settings.mqtt is None:
        return []
    options, tried = mqtt_options(settings, settings.mqtt), _topics(settings, settings.mqtt)
    try:
        denied = await visit(options, tried)
    except DeliveryError as error:
        return [Check("mqtt: broker", "failed", f"{options.address}: {error}")]
    how = f"{options.address} lets us in, MQTT {options.protocol}, {'with' if options.tls else 'without'} TLS"
    checks = [Check("mqtt: broker", "ok", how)]
    if denied:
        text = f"what is published there does not come back: allow to write and to read {', '.join(denied)}"
        checks.append(Check("mqtt: topics", "failed", text))
    else:
        checks.append(Check("mqtt: topics", "ok", f"{len(tried)} can be written and read"))
    if settings.mqtt.commands:
        checks.append(await _who_may_ask(options, settings.mqtt))
    return checks


def _topics(settings: Settings, mqtt: MqttSettings) -> list[str]:
    """All that the daemon would publish to."""
    from hedged.adapters.channels.mqtt_topics import Topics
    from hedged.adapters.channels.mqtt_visit import PROBE
    from hedged.app import mqtt_discovery

    topics = Topics(mqtt.prefix, settings.instance)
    return [
        topics.alert(PROBE),
        topics.status,
        topics.summary,
        topics.proposals,
        *(topics.hedge(hedge.name) for hedge in settings.hedges),
        *(topics.margin(account.name) for account in settings.accounts),
        *([topics.reply(PROBE)] if mqtt.commands else []),
        *([mqtt_discovery(settings, mqtt).topic] if mqtt.discovery else []),
    ]


async def _who_may_ask(options: MqttOptions, mqtt: MqttSettings) -> Check:
    from hedged.adapters.channels.mqtt_visit import lets_anybody_in

    what, verbs = "mqtt: commands", ", ".join(mqtt.commands)
    if await lets_anybody_in(options):
        text = f"it lets in whoever comes, without a password: see that its ACL keeps them from asking {verbs}"
        return Check(what, "unknown", text)
    return Check(what, "ok", f"{verbs}: by whom the broker lets publish to {options.topics.commands}")
