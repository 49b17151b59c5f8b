"""The program that runs on a GPU host: takes jobs from an exchange, computes them, sends the results.

It speaks HTTP and nothing else: no Django, no database. `pip install aitbc[miner]` on a host and
`aitbc-miner run` there is all that is needed; `manage.py miner run` starts the same program.
"""
