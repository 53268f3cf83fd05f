"""Loudspeakers: registry, protocol, MQTT link, reference device."""
