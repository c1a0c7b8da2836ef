"""Bonds, legs, routing objects, mobile provider profiles, and what nodes report of them."""

from .bonds import Bond, BondReport
from .legs import InterfaceMode, Leg, LegReport, MobileProviderProfile
from .routing import AggRouting, ConnectedIP, CpeNatIP, Route

__all__ = [
    "AggRouting",
    "Bond",
    "BondReport",
    "ConnectedIP",
    "CpeNatIP",
    "InterfaceMode",
    "Leg",
    "LegReport",
    "MobileProviderProfile",
    "Route",
]
