"""The processes of one run: keeper, fork server, command. Standard library only, no Django, no database."""
