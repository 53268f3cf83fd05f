"""How much a document may ask of the hub. Everything here is checked before any work is done with it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one document. Polygons and points are those of the British alerting service."""

    size: int = 2_000_000
    """Bytes as they came in."""
    polygons: int = 1_000
    """Polygons and circles together."""
    points: int = 50_000
    depth: int = 24
    elements: int = 100_000
    attributes: int = 24
    """Of one element, namespace declarations among them."""
    attribute_length: int = 2_000
    text_length: int = 1_200_000
    """Of one element: the longest polygon, or a small picture inside the document."""


USUAL = Limits()
