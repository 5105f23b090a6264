"""ActivityNet's archive at 15 fps: what l2l's clips and frames are of such files."""

from fractions import Fraction

from media_files import decoded, make_video, numbers


def test_a_clip_of_a_15_fps_video_is_16_of_its_pictures_one_after_another(tmp_path):
    video = decoded(make_video(tmp_path / "v.mp4", 3.2, rate=15))
    assert video.moments == 5
    for moment in range(video.moments):
        first = 8 * moment  # 16/30 s later
        assert numbers(video.clip(moment)) == list(range(first, first + 16))[: 48 - first] + [
            47
        ] * (max(0, first + 16 - 48))


def test_it_shows_the_times_of_a_video_of_30_fps(tmp_path):
    slow = decoded(make_video(tmp_path / "slow.mp4", 3.2, rate=15))
    fast = decoded(make_video(tmp_path / "fast.mp4", 3.2, rate=30))
    assert slow.moments == fast.moments
    assert slow.frames_total * 2 == fast.frames_total
    for moment in range(slow.moments):
        times = [Fraction(n, 15) for n in numbers(slow.clip(moment))]
        assert times == [Fraction(n, 30) for n in numbers(fast.clip(moment))]
