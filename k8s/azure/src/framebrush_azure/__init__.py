"""Everything in Azure that an installation of framebrush needs, as a Pulumi program."""
