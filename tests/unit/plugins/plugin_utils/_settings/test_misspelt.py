# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that were meant as settings are found, and a lab's own names are left alone."""

from __future__ import annotations

import os
import re

import pytest

from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _misspelt, _role_settings, _specs
from ansible_collections.rented.gpu.plugins.plugin_utils._settings._misspelt import Given

ROLES = sorted(os.listdir(_specs.ROLES))
SETTINGS = [*_role_settings.options_of(ROLES), *_role_settings.PLAYBOOKS]

MISTAKES = {
    "repo_list": "repos_list",
    "repos_lst": "repos_list",
    "repo_lists": "repos_list",
    "reposList": "repos_list",
    "repos-list": "repos_list",
    "Repos_List": "repos_list",
    "list_repos": "repos_list",
    "repos": "repos_list",
    "python_requirements": "python_env_requirements",
    "pythonenv_requirements": "python_env_requirements",
    "python_env_requirement": "python_env_requirements",
    "python_env_requirments": "python_env_requirements",
    "requirements_file": "python_env_requirements",
    "python_packages": "python_env_packages",
    "python_env_package": "python_env_packages",
    "pip_packages": "python_env_packages",
    "python_extras": "python_env_extras",
    "python_torch": "python_env_torch",
    "python_env": "python_env_requirements",
    "env_python_python": "python_env_python",
    "git_key_name": "git_keys_name",
    "git_keys_emial": "git_keys_email",
    "git_name": "git_keys_name",
    "git_email": "git_keys_email",
    "git_keys_privat_key": "git_keys_private_key",
    "git_private_key": "git_keys_private_key",
    "git_key_mode": "git_keys_mode",
    "data_sync": "data_sync_items",
    "data_sync_item": "data_sync_items",
    "datasync_items": "data_sync_items",
    "data_items": "data_sync_items",
    "tmux_sesion": "tmux_session",
    "session_tmux": "tmux_session",
    "rented_work_dir": "rented_workdir",
    "rented_workdirs": "rented_workdir",
    "rented_host": "rented_hosts",
    "known_hosts": "known_hosts_extra",
    "known_host_extra": "known_hosts_extra",
    "cuda_required": "cuda_check_required",
    "cuda_check_require": "cuda_check_required",
    "ready_package": "ready_packages",
    "ready_timout": "ready_timeout",
}
# Names that suggest a setting: an error with -e, a warning elsewhere.
SUGGESTED = {
    "workdir": "rented_workdir",
    "work_dir": "rented_workdir",
    "torch": "python_env_torch",
    "torch_version": "python_env_torch",
    "requirements": "python_env_requirements",
    "packages": "python_env_packages",
    "extras": "python_env_extras",
    "python_version": "python_env_python",
    "repo": "repos_list",
    "private_key": "git_keys_private_key",
    "tmux": "tmux_session",
}
INNOCENT = re.findall(
    r"\w+",
    """
    account admin_user ansible_become ansible_become_password ansible_connection ansible_host ansible_port
    ansible_python_interpreter ansible_ssh_common_args ansible_ssh_private_key_file ansible_user app_name app_version aws_profile
    aws_region backup_dir base_dir batch_size branch bucket build_dir cache_dir checkpoint_dir checkpoints ci_token cluster
    cluster_name conda_env config config_file container_image course course_name cuda_path cuda_version cuda_home data_dir data_path
    data_root dataset_name dataset_path db_host db_name deadline debug deploy_user dest dns_servers docker_image domain download_dir
    env env_name environment_name epochs exam experiment experiment_name extra_args git_branch git_host git_hosts git_server
    git_token git_url git_version gpu gpu_count gpu_model gpus group_name groups_of_students hf_home hf_token home_dir homework
    homework_name host hosts_allow image instance_type instructor job_name jupyter_port key_file keys_dir known_users lab lab_name
    learning_rate lecture license log_dir log_level login_user logs machine mail matriculation max_price mode model model_name
    models_dir mount_point my_packages my_repo my_repos name namespace nccl_debug nfs_server node_count notebook_port ntp_server
    num_gpus organisation output_dir owner password path pip_index pip_index_url pip_version port ports prefix price proxy_url
    python_bin python_path python_interpreter queue read_timeout ready region registry release remote_dir remote_user result_dir
    results_path retries root_dir run_id scratch seed seminar server server_name shm_size slurm_partition ssh_key ssh_keys ssh_port
    ssh_user staging storage student student_id student_name students tag tags target team term timeout timezone tmp_dir
    tmux_version train_script training_data tutor user user_name users vars_dir vault_hf_token vault_password vault_pw version
    volume wandb_api_key wandb_key wandb_project workers workspace zone rented_gpu_model rented_gpu_count rented_label
    rented_price_per_hour rented_gpu_vram_mb rented_tags rented_raw rented_ssh_via rented_provider cuda_arch cuda_toolkit host_name
    hosts_list list_of_repos_of_the_course repos_dir repos_root requirements_dir python_script python_home torch_home torch_cache
    git_keys_of_the_whole_department homework_repo homework_repos data_server data_version sync_interval items session_timeout
    ready_message
    """,
)


def found(name, value="x", now=True, others=()):
    given = [Given(name, value, now), *others]
    return _misspelt.suspects(given, SETTINGS, ["rented_gpu_model"])


@pytest.mark.parametrize("now", [True, False])
@pytest.mark.parametrize("name", MISTAKES)
def test_a_name_that_nearly_is_a_setting_is_an_error_wherever_it_was_given(name, now):
    (suspect,) = found(name, now=now)
    assert suspect.certain
    assert MISTAKES[name] in suspect.nearest
    assert str(suspect).startswith("'%s' is not a setting. Did you mean '" % name)


@pytest.mark.parametrize("name", SUGGESTED)
def test_a_name_that_suggests_a_setting_is_an_error_with_e_and_a_warning_elsewhere(name):
    (suspect,) = found(name)
    assert suspect.certain and SUGGESTED[name] in suspect.nearest
    (suspect,) = found(name, now=False)
    assert not suspect.certain and "rename it" in str(suspect)


@pytest.mark.parametrize("name", SUGGESTED)
def test_it_is_neither_when_the_setting_is_given_too_or_a_template_uses_it(name):
    for setting in SETTINGS:
        assert found(name, others=[Given(known, "x") for known in SETTINGS]) == []
        assert found(name, others=[Given(setting, ["a", {"b": "{{ [%s] | first }}" % name}])]) == []


@pytest.mark.parametrize("now", [True, False])
def test_own_names_are_left_alone(now):
    assert [str(suspect) for name in INNOCENT for suspect in found(name, now=now)] == []


@pytest.mark.parametrize("name", ["project", "datasets", "git_repo", "data", "email"])
def test_common_names_are_at_most_a_warning(name):
    assert [suspect.certain for suspect in found(name)] == [False]
    assert found(name, now=False) == []


def test_every_setting_is_known_and_each_is_found_again_after_a_slip():
    for setting in SETTINGS:
        assert found(setting) == []
        for position in range(1, len(setting)):
            slip = setting[:position] + setting[position + 1 :]
            if slip not in _misspelt.COMMON and slip not in SETTINGS and len(slip) > 6:
                assert [suspect.certain for suspect in found(slip)] == [True], slip


def test_the_place_is_named():
    (suspect,) = _misspelt.suspects([Given("repo_list", [], False, "group_vars/all.yml, line 3")], SETTINGS)
    assert str(suspect) == "'repo_list' (group_vars/all.yml, line 3) is not a setting. Did you mean 'repos_list'?"
    assert "'python_env_packages' or 'ready_packages'" in str(found("packages")[0])
