"""The installation's own pages: settings, backups, certificate, versions, failover."""
