"""Notifications in the app: a row, a live message, and a push or an e-mail where the job asks for one."""
