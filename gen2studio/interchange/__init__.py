"""Timelines to and from other programs: OpenTimelineIO, CMX 3600 edit lists, Final Cut Pro XML."""
