"""The two languages of the documents: which one is used, and the words that facts are told with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = ("en", "fr")


def choose(asked: str, environ: Mapping[str, str] | None = None) -> Language:
    """``asked`` when it is a language of ours, else French where the locale is French, else English."""
    for language in LANGUAGES:
        if asked == language:
            return language
    env = os.environ if environ is None else environ
    said = next((env[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if env.get(name)), "")
    return "fr" if said.lower().partition(".")[0].partition("_")[0] == "fr" else "en"


def say(language: Language, key: str, **values: object) -> str:
    """The phrase ``key`` in a language, with its values put in."""
    return WORDS[key][LANGUAGES.index(language)].format(**values)


WORDS: dict[str, tuple[str, str]] = {
    "none": ("none", "aucun"),
    "nothing": ("nothing", "rien"),
    "not_said": ("the agent did not say", "l'agent ne l'a pas dit"),
    "whole_history": ("the whole history", "tout l'historique"),
    "unknown": ("not stated", "sans indication"),
    "commit_row": ("`{id}` {title} ({who})", "`{id}` {title} ({who})"),
    "more": ("and {count} more", "et {count} de plus"),
    "uncommitted": (
        "uncommitted work, carried as a marked commit on top (`{id}`)",
        "travail non validé (non « commité »), transporté comme commit marqué au sommet (`{id}`)",
    ),
    "no_commits": ("no commit of its own", "aucun commit propre"),
    "status_A": ("added", "ajouté"),
    "status_M": ("changed", "modifié"),
    "status_D": ("deleted", "supprimé"),
    "status_T": ("turned into another kind of file", "changé de nature"),
    "origin_committed": ("committed", "commité"),
    "origin_staged": ("staged", "indexé"),
    "origin_unstaged": ("unstaged", "non indexé"),
    "origin_staged+unstaged": ("staged+unstaged", "indexé et modifié depuis"),
    "origin_untracked": ("untracked", "non suivi"),
    "origin_unmerged": ("unmerged", "en conflit"),
    "lines": ("+{added} -{removed}", "+{added} -{removed}"),
    "lines_unknown": ("not counted", "non comptées"),
    "check_head": ("| check | result | duration | detail |", "| vérification | résultat | durée | détail |"),
    "success": ("success", "réussi"),
    "failure": ("failure", "échec"),
    "skipped": ("not run", "non exécuté"),
    "no_checks": ("No check was run.", "Aucune vérification n'a été exécutée."),
    "red": ("{name} is red: {detail}", "{name} est rouge : {detail}"),
    "not_run": ("{name} was not run: {detail}", "{name} n'a pas été exécuté : {detail}"),
    "left_out": ("not carried: {path} ({reason})", "non transporté : {path} ({reason})"),
    "reason_unmerged": ("a conflict that is not resolved", "conflit non résolu"),
    "reason_submodule": ("the content of a submodule", "contenu d'un sous-module"),
    "reason_nested repository": ("a repository inside this one", "dépôt à l'intérieur de celui-ci"),
    "reason_sensitive": ("sensitive", "sensible"),
    "reason_not storable": ("git cannot keep it", "git ne peut pas le garder"),
    "reason_too large": ("too large", "trop grand"),
    "reason_unreadable": ("unreadable", "illisible"),
    "based_recorded": ("recorded", "enregistrée"),
    "based_asked": ("asked for", "demandée"),
    "based_upstream": ("upstream", "branche suivie"),
    "based_trunk": ("the trunk", "tronc"),
    "based_clone": ("the clone", "clonage"),
    "based_shallow": ("where a shallow clone ends", "fin d'un clone superficiel"),
    "quiet_left_out": (
        "{count} ignored files or files of Écluse's own were left where they are",
        "{count} fichiers ignorés ou propres à Écluse sont restés sur place",
    ),
    "merge_inside": ("{count} merge commits are part of it", "{count} commits de fusion en font partie"),
    "setup_changed": (
        "{path} was changed: install the dependencies again before you run anything",
        "{path} a été modifié : réinstaller les dépendances avant d'exécuter quoi que ce soit",
    ),
    "ci_changed": (
        "{path} was changed: it waits for a person at import",
        "{path} a été modifié : l'import attendra une personne",
    ),
    "setup_same": ("no file that sets the project up was changed", "aucun fichier de configuration n'a été modifié"),
    "do_import": ("take it in: `ecluse import {name}`", "l'importer : `ecluse import {name}`"),
    "do_validate": (
        "run what was not run here: `ecluse validate {id} --level complete`",
        "exécuter ce qui ne l'a pas été ici : `ecluse validate {id} --level complete`",
    ),
    "do_red": ("repair what is red before it lands", "réparer ce qui est rouge avant l'intégration"),
    "do_left": ("go on with what is left (above)", "poursuivre ce qui reste (ci-dessus)"),
    "do_land": ("land it: `ecluse land {id}`", "l'intégrer : `ecluse land {id}`"),
    "c_clean": ("no merge or conflict is half done", "aucune fusion ni conflit en suspens"),
    "c_unmerged": ("unresolved conflicts in: {paths}", "conflits non résolus dans : {paths}"),
    "c_branch": ("branch {branch}, based on {base} ({how})", "branche {branch}, basée sur {base} ({how})"),
    "c_all": ("everything that was done is carried", "tout le travail est transporté"),
    "c_some": ("left out, listed below: {count}", "laissés de côté, liste ci-dessous : {count}"),
    "c_tests": ("tests were run ({name}: {result})", "les tests ont été exécutés ({name} : {result})"),
    "c_no_tests": (
        "tests were not run at this level; `ecluse validate --level standard` runs them",
        "les tests n'ont pas été exécutés à ce niveau ; `ecluse validate --level standard` les exécute",
    ),
    "c_docs": ("documentation was changed: {paths}", "documentation modifiée : {paths}"),
    "c_no_docs": ("no documentation was changed", "aucune documentation modifiée"),
    "c_changelog": ("the changelog was changed", "le journal des modifications a été mis à jour"),
    "c_no_changelog": ("the changelog was not changed", "le journal des modifications n'a pas été mis à jour"),
    "c_secrets": (
        "no secret was found in any commit, message or file that is carried",
        "aucun secret trouvé dans les commits, messages et fichiers transportés",
    ),
    "c_sensitive": ("kept back as sensitive: {paths}", "retenus car sensibles : {paths}"),
    "c_payload": ("{name}, {size} bytes, SHA-256 `{sha}`", "{name}, {size} octets, SHA-256 `{sha}`"),
    "c_signed": ("the manifest is signed", "le manifeste est signé"),
    "c_unsigned": ("the manifest is not signed", "le manifeste n'est pas signé"),
    "c_note": ("a note for the next one is carried", "une note pour la suite est jointe"),
    "c_no_note": (
        "no note was given (`ecluse export --note -`)",
        "aucune note n'a été donnée (`ecluse export --note -`)",
    ),
    "c_size": ("{files} files, {bytes} bytes to carry", "{files} fichiers, {bytes} octets à transporter"),
    # what the trunk keeps
    "j_title": ("Hand-overs of {agent}", "Passations de {agent}"),
    "j_written": (
        "Written by Écluse when a change lands, newest first. Quoted lines are the agent's own words.",
        "Écrit par Écluse à chaque intégration, le plus récent d'abord. Les lignes citées sont les mots de l'agent.",
    ),
    "j_index": ("Journal of hand-overs", "Journal des passations"),
    "j_state": ("State of the synchronisation", "État de la synchronisation"),
    "j_head": (
        "| agent | hand-overs | last change | what | branch | when |",
        "| agent | passations | dernier changement | quoi | branche | quand |",
    ),
    "j_landed": ("landed on {branch}, based on `{base}`", "intégré à {branch}, basé sur `{base}`"),
    "j_commits": ("commits ({count})", "commits ({count})"),
    "j_files": ("files ({count})", "fichiers ({count})"),
    "j_checks": ("checks at intake", "vérifications à l'entrée"),
    "j_not_carried": ("left out by the export", "laissé de côté par l'export"),
    "j_done": ("done", "fait"),
    "j_left": ("left", "reste à faire"),
    "j_watch": ("to watch", "points d'attention"),
    "j_words": ("in the agent's words", "dans les mots de l'agent"),
    "j_older": ("Older ones are in the history of this file.", "Les plus anciennes sont dans l'historique de ce fichier."),
    "j_where": (
        "Each agent has a page of its own below `{folder}/`; what waits to land: `ecluse status`.",
        "Chaque agent a sa page sous `{folder}/` ; ce qui attend d'être intégré : `ecluse status`.",
    ),
}  # fmt: skip
