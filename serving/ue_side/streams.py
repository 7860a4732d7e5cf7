"""The stream that a UE sends: the encoder's own bits, or those of an entropy coder."""

from __future__ import annotations

from collections.abc import Callable

from absl import flags

from serving.codec.coded_atoms import CodedEncoder, CodedReceiver
from serving.codec.ue_encoder import UeEncoder


def define_flags() -> None:
    """Flags of commands that encode."""
    flags.DEFINE_enum(
        "stream", "plain", ["plain", "coded"], "coded: of an export of --codec=pursuit."
    )
    flags.DEFINE_integer(
        "report_bits", 0, "Bits of a report of --stream=coded at most; 0: of the plain."
    )


def encoder(values: flags.FlagValues) -> tuple[UeEncoder | CodedEncoder, Callable]:
    """The encoder of the flags, and what makes the decoder of a served one.

    Raises:
        FileNotFoundError, ValueError: as the encoders, or bits for the plain stream.
    """
    if values.stream == "plain":
        if values.report_bits:
            raise ValueError(
                f"--report_bits={values.report_bits} is for --stream=coded: the plain "
                "stream has one size"
            )
        return UeEncoder(values.encoder), lambda decoder: decoder
    coded = CodedEncoder(values.encoder, values.report_bits)
    receiver = CodedReceiver(coded.tables, coded.codec)

    def received(decoder):
        # TensorFlow's protocol buffers: seconds that no wrong flag waits for.
        from serving.ue_side.decoder_client import CodedDecoder

        return CodedDecoder(decoder, receiver)

    return coded, received
