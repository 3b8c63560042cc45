"""Features of real speech for the audio networks: sentences in ten languages inside PyPI ``pytest-audioeval``.

The front ends are those that MLPerf-Tiny describes, written anew: close to what the networks were trained on, not
equal to it, so that they exercise every layer but say nothing of accuracy.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from models.wheels import PYTEST_AUDIOEVAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

RATE = 16_000


def cepstra(count: int) -> NDArray[np.float32]:
    """Ten cepstral coefficients of 50 windows of 30 ms, 20 ms apart, up to 4 kHz: float32[count, 50, 10, 1]."""
    from scipy.fft import dct

    mel = _log_mel(_clips(count, 49 * 320 + 480), window=480, step=320, bins=40, top=4000)
    return dct(mel, axis=-1, norm="ortho")[:, :50, :10, None].astype(np.float32)


def spectra(count: int) -> NDArray[np.float32]:
    """Mel spectra in dB, 128 bins of 5 windows of 64 ms, 32 ms apart: float32[count, 5, 128, 1]."""
    mel = _log_mel(_clips(count, 4 * 512 + 1024), window=1024, step=512, bins=128, top=RATE / 2)
    return (10 / np.log(10) * mel[..., None]).astype(np.float32)


def _clips(count: int, length: int) -> Floats:
    """Pieces of the sentences, spread over all of them: float[count, length]."""
    from scipy.io import wavfile
    from scipy.signal import resample_poly

    sounds = []
    for _, content in PYTEST_AUDIOEVAL.files("*.wav"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # the files hold a comment
            rate, samples = wavfile.read(io.BytesIO(content))
        sounds.append(resample_poly(samples, RATE, rate))
    speech = np.concatenate(sounds)
    starts = np.linspace(0, len(speech) - length, count).astype(int)
    return np.stack([speech[start : start + length] for start in starts])


def _log_mel(clips: Floats, *, window: int, step: int, bins: int, top: float) -> Floats:
    """Logarithm of the energy in triangular bands, equally wide on the mel scale: float[count, windows, bins]."""
    frames = np.lib.stride_tricks.sliding_window_view(clips, window, axis=1)[:, ::step] * np.hanning(window)
    energy = np.abs(np.fft.rfft(frames)) ** 2
    edges = 700 * (np.expm1(np.linspace(0, np.log1p(top / 700), bins + 2)))
    frequencies = np.fft.rfftfreq(window, 1 / RATE)
    rising = (frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequencies) / np.diff(edges)[1:, None]
    return np.log(energy @ np.maximum(np.minimum(rising, falling), 0).T + 1e-6)
