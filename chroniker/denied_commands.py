"""The default of ``CHRONIKER_COMMANDS_DENIED``: management commands that are no jobs."""

#: Default of ``CHRONIKER_COMMANDS_DENIED``: commands that never end, are interactive, destroy data, or run any other
#: command. The second part has those of popular packages.
DENIED_COMMANDS = (
    *("cron", "cronserver", "run_job", "drain", "chroniker_adopt"),
    *("runserver", "testserver", "shell", "dbshell", "createsuperuser", "changepassword", "flush", "sqlflush", "test"),
    # never end: development servers and workers
    *("runserver_plus", "runprofileserver", "runsslserver", "livereload", "mail_debug", "tailwind", "runmodwsgi"),
    *("rqworker", "rqworker-pool", "rqscheduler", "qcluster", "qmonitor", "run_huey", "rundramatiq", "db_worker"),
    *("runworker", "process_tasks", "runmailer", "runmailer_pg", "celery", "celeryd", "celerybeat", "celerycam"),
    # interactive
    *("shell_plus", "debugsqlshell", "create_tenant", "create_tenant_superuser"),
    # destroy data
    *("reset_db", "reset_schema", "drop_test_database", "dbrestore", "mediarestore", "clear_index", "delete_tenant"),
    *("set_fake_emails", "set_fake_passwords", "delete_squashed_migrations", "syncdata"),
    # run any other command
    *("tenant_command", "all_tenants_command"),
)
