"""Pickle, which zcap shows and never executes: what would be called is described.

    zcap record ENDPOINT -o demo
    zcap cat demo --json

    {"when":{"$object":"datetime.timedelta","args":[1,2,3]},"values":[1,2.5,null]}
"""

import datetime
import pickle

from publish import publish

publish([[b"job", pickle.dumps({"when": datetime.timedelta(1, 2, 3), "values": (1, 2.5, None)})]])
