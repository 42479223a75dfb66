"""Glue: settings, routes and the doors of the control plane."""
