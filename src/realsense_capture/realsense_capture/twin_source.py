"""The twin's camera: draws the state that the twin tells, in this process."""

import threading
import time

from ibc_contract.pacing import ticks
from realsense_capture.source import Frame, Intrinsics, SourceUnavailable
from xarm_twin.camera import RendererChoice, TwinCamera, choose_renderer
from xarm_twin.scene_state import SceneState, SceneStateClient

LOST_AFTER_S = 2.0


class TwinSource:
    """Draws the newest state at a fixed rate; a frame's stamp is that of its state.

    With a delay put in by hand it draws an older state, and stamps that so much too late: as a
    camera that knows when a frame arrived, but not when it was exposed.

    The task, and with it what there is to draw, is learned from the state. Ticks that pass while
    a frame is drawn are left out, so a slow renderer lowers the rate and never the freshness.
    """

    expected_at_start = False
    promised_hz = 0.0

    def __init__(
        self,
        host: str,
        port: int,
        width: int,
        height: int,
        rate_hz: float,
        renderer: RendererChoice = 'auto',
        delay_s: float = 0.0,
    ) -> None:
        """Draw `width` x `height` [px] images of the twin that serves states at `host`:`port`.

        They are `delay_s` [s] older than their stamps say.
        """
        self._address = (host, port)
        self._size = (width, height)
        self._period_s = 1.0 / rate_hz
        self._renderer: RendererChoice = choose_renderer(renderer)
        self._delay_ns = round(delay_s * 1e9)
        self._never = threading.Event()
        self._client: SceneStateClient | None = None
        self._camera: TwinCamera | None = None
        self._task = ''
        self._last_ns = self._drawn_ns = 0
        self._heard_s = 0.0
        self._missed = 0
        self._draw_s = 0.0

    def open(self) -> None:
        """Start listening to the twin; it need not run yet."""
        if self._client is None:
            self._client = SceneStateClient(*self._address)
            self._heard_s = time.monotonic()
            self._ticks = ticks(self._period_s, self._never)

    def read(self, timeout_s: float) -> Frame | None:
        """Draw the newest state at the next tick; SourceUnavailable after two silent seconds."""
        if self._client is None:
            raise SourceUnavailable('not listening to the twin')
        _, missed = next(self._ticks)
        state = self._client.wait_newer(self._last_ns, timeout_s)
        now = time.monotonic()
        if state is None:
            if now - self._heard_s > LOST_AFTER_S:
                host, port = self._address
                raise SourceUnavailable(f'no twin tells its state at {host}:{port}')
            return None
        self._heard_s, self._last_ns = now, state.stamp_ns
        if self._delay_ns:
            state = self._client.before(state.stamp_ns - self._delay_ns)
            # None while the twin has not run for so long; the same again where states are rare.
            if state is None or state.stamp_ns == self._drawn_ns:
                return None
        self._drawn_ns = state.stamp_ns
        if self._camera is None or state.task != self._task:
            self._set_up(state)
            return None
        rgb = self._camera.render(state.q, state.objects)
        self._draw_s = time.monotonic() - now
        self._missed += missed
        return Frame(state.stamp_ns + self._delay_ns, rgb)

    def intrinsics(self) -> Intrinsics:
        """Return the model of the scene's camera."""
        if self._camera is None:
            raise SourceUnavailable('the twin has not told its state yet')
        model = self._camera.model
        return Intrinsics(model.width, model.height, model.fx, model.fy, model.cx, model.cy)

    def trouble(self) -> str:
        """Return nothing: a twin that is silent is unavailable."""
        return ''

    def status(self) -> dict[str, object]:
        """Return task, renderer and cost for diagnostics."""
        return {
            'source': f'twin {self._task or "(not heard yet)"}',
            'renderer': self._renderer,
            'drawing [ms]': f'{self._draw_s * 1e3:.1f}',
            'frames left out': self._missed,
        }

    def close(self) -> None:
        """Stop listening; free the renderer."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self._close_camera()

    def _set_up(self, state: SceneState) -> None:
        self._close_camera()
        camera = TwinCamera(state.task, self._renderer, *self._size)
        # The first picture takes half a second: too old to be a frame.
        camera.render(state.q, state.objects)
        self._camera, self._task = camera, state.task

    def _close_camera(self) -> None:
        if self._camera is not None:
            self._camera.close()
            self._camera = None
