"""Credentials of Microsoft Entra."""
