"""A hub in a process of its own, for loudspeakers alone. Arguments: data folder, broker port, audio port."""

import logging
import sys
import time
from pathlib import Path

from brokerlab import external_settings
from countylab import open_hub_with, speaking_parts

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    data_dir, broker_port, audio_port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    runtime = open_hub_with(data_dir, external_settings([("127.0.0.1", broker_port)]), audio_port)
    for part in speaking_parts(runtime):
        part.start()
    while True:
        time.sleep(60)
