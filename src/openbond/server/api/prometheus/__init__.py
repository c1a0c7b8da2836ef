"""/metrics: what there is to see, as Prometheus scrapes it (text exposition format 0.0.4).

families.py   names, units and help of everything that is shown
text.py       samples as text
page.py       the address, and who may see what
"""
