"""Optical flow along a stream of frames: DIS, which needs no weights, and RAFT (``vidstyle.flow.raft.RaftFlow``)."""

from vidstyle.flow.dis import DisFlow
from vidstyle.flow.select import FlowChoice, choose_flow, raft_weights_at_hand

__all__ = ["DisFlow", "FlowChoice", "choose_flow", "raft_weights_at_hand"]
