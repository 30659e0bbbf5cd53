"""Durable truth: tables, migrations, repositories."""
