"""System accounts, which exist on every machine and belong to nobody: `root`, `www-data`."""

from typing import Final

_ACCOUNTS: Final = frozenset(
    [
        *("root", "www-data", "nobody", "nogroup", "daemon", "nginx", "apache", "apache2", "httpd"),
        *("postgres", "mysql", "redis", "mongodb", "elasticsearch", "kafka", "zookeeper", "git"),
        *("ubuntu", "debian", "centos", "fedora", "ec2-user", "azureuser", "vagrant", "docker"),
        *("jenkins", "gitlab-runner", "appuser", "oracle", "sshd", "systemd-network", "sysadmin"),
        *(
            "runner",
            "circleci",
            "travis",
            "vsts",
            "vscode",
            "codespace",
            "gitpod",
            "coder",
            "jovyan",
        ),
        *("sagemaker-user", "linuxbrew", "airflow", "hadoop", "spark", "node", "python", "site"),
        *("github-actions", "dependabot", "dependabot[bot]", "localsystem", "superuser"),
        *("shared", "public", "default"),  # folders of everybody beside those of users
    ]
)


def is_system_account(name: str) -> bool:
    """Return whether a user name is a system account, in any case."""
    return name.lower() in _ACCOUNTS
