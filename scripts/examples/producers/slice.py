"""A part of a larger buffer, sent without a copy. Only who reads it knows what it is: a rule says so.

    zcap record ENDPOINT -o demo --codec 'adc#1=ndarray(int16,4)'
    zcap cat demo --json

    {"dtype":"int16","shape":[4],"min":100,"max":103,"mean":101.5,"data":[100,101,102,103]}
"""

import array

from publish import publish

samples = memoryview(array.array("h", range(1000)))
publish([[b"adc", samples[100:104]]], copy=False)
