"""Arithmetic about bonds, legs and routing objects. No database, no clock, no dice."""
