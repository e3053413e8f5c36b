"""``fullhouse bench``: measure the product as its buyers meet it, over HTTP, beside what the machine can do.

============= ==================================================================================================
figures       what was measured, as values: figures, ratios, loads, curves
wire, load    a client that costs little, and load that waits for nobody
house, stock  the Fullhouse that is measured, and what it sells
limits        what the machine can do: a bare handler, pgbench, fsync
scenarios/    what happens: one file for those of a kind; ``catalogue`` names them all
run, report   run them, and write down what they found; ``plots`` draws it
============= ==================================================================================================

Latency counts from the moment when a request was due, so a server that stands still is not hidden by clients that
wait for it. Ratios compare rounds that ran by turns. After each scenario the clients' own log is compared with what
is there, and every promise is checked.
"""
