"""The program that runs on a GPU host: asks an exchange for work, computes it, sends it back.

It speaks HTTP and nothing else: no Django, no database. `pip install aitbc[miner]` on a host and
`aitbc-miner run` there is all that is needed; `manage.py miner run` starts the same program.
"""
