from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "aitbc.accounts"
    label = "accounts"
    verbose_name = "Accounts"
