"""Bonds, their legs and routing objects, and mobile provider profiles."""
