from gaelp_sim.front.frames import Frame as Frame
from gaelp_sim.front.runs import Replay as Replay
from gaelp_sim.front.runs import Run as Run
from gaelp_sim.front.runs import open_run as open_run
from gaelp_sim.front.runs import run as run
from gaelp_sim.front.runs import runs as runs

__version__: str
